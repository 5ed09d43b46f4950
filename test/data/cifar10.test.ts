import { join } from "node:path";
import t from "tap";
import { openDataset } from "../../src/data/open-dataset.js";
import { collect, patternBytes, pngBytes } from "./files.js";

/** Interleaved pixels of `count` images, and the same as planes. */
function images(count: number, start: number) {
  const interleaved = patternBytes(count * 3072, start);
  const planar = new Uint8Array(interleaved.length);
  for (let n = 0; n < count; n++) {
    for (let p = 0; p < 1024; p++) {
      for (let c = 0; c < 3; c++) planar[n * 3072 + c * 1024 + p] = interleaved[n * 3072 + p * 3 + c]!;
    }
  }
  return { interleaved, planar };
}

function binary(planar: Uint8Array, labels: readonly number[]): Buffer {
  return Buffer.concat(labels.flatMap((label, n) => [Buffer.from([label]), planar.subarray(n * 3072, (n + 1) * 3072)]));
}

const a = images(3, 0);
const b = images(2, 77);
const labelsA = [4, 0, 9];
const labelsB = [1, 8];

t.test("binary and PNG form give the same images and labels", async (t) => {
  const path = t.testdir({
    bin: {
      "data_batch_1.bin": binary(a.planar, labelsA),
      "data_batch_2.bin": binary(b.planar, labelsB),
      "test_batch.bin": binary(b.planar, labelsB),
    },
    png: {
      "data_batch_1.png": await pngBytes(1024, 3, 3, a.interleaved),
      "data_batch_2.png": await pngBytes(1024, 2, 3, b.interleaved),
      "test_batch.png": await pngBytes(1024, 2, 3, b.interleaved),
      "train_lables.json": JSON.stringify([...labelsA, ...labelsB]),
      "test_lables.json": JSON.stringify(labelsB),
    },
  });
  const normalize = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
  for (const split of ["train", "test"] as const) {
    for (const layout of ["NCHW", "NHWC"] as const) {
      const bin = await openDataset({ path: join(path, "bin"), split, layout, normalize });
      const png = await openDataset({ path: join(path, "png"), split, layout, normalize });
      const options = { batchSize: 2, shuffleSeed: 3 };
      t.same(await collect(png, options), await collect(bin, options), `${split} ${layout}`);
    }
  }
  const train = await openDataset({ path: join(path, "png"), split: "train", normalize: { scale: 1 } });
  t.same([train.size, train.sampleDims, train.classes, train.classNames?.[3]], [5, [3, 32, 32], 10, "cat"]);
  const [batch] = await collect(train, { batchSize: 5 });
  t.same([...batch!.labels!], [...labelsA, ...labelsB]);
  t.same([...batch!.images], [...a.planar, ...b.planar]);
  const [nhwc] = await collect(
    await openDataset({ path: join(path, "bin"), split: "train", layout: "NHWC", normalize: { scale: 1 } }),
    { batchSize: 5 },
  );
  t.same([...nhwc!.images], [...a.interleaved, ...b.interleaved]);
  const one = await openDataset({ path: join(path, "bin", "data_batch_2.bin"), normalize: { scale: 1 } });
  t.same([...(await collect(one, { batchSize: 2 }))[0]!.labels!], labelsB);
});

t.test("the official archive's own folder is found", async (t) => {
  const path = t.testdir({ "cifar-10-batches-bin": { "test_batch.bin": binary(b.planar, labelsB) } });
  t.equal((await openDataset({ path })).size, 2);
  await t.rejects(openDataset({ path, split: "train" }), { code: "HALP_DATA_MISSING", exitCode: 2 });
});

t.test("gaps, truncation, wrong widths and labels are refused", async (t) => {
  const record = binary(b.planar, labelsB);
  const png = await pngBytes(1024, 2, 3, b.interleaved);
  const path = t.testdir({
    gap: { "data_batch_1.bin": record, "data_batch_3.bin": record },
    cut: { "test_batch.bin": record.subarray(0, record.length - 1) },
    nothing: { "test_batch.bin": "" },
    label: { "test_batch.bin": binary(b.planar, [1, 10]) },
    wide: { "test_batch.png": await pngBytes(32, 32, 3, patternBytes(3072)), "test_lables.json": "[0]" },
    few: { "test_batch.png": png, "test_lables.json": "[0]" },
    range: { "test_batch.png": png, "test_lables.json": "[0, 10]" },
    unlabelled: { "test_batch.png": png },
    broken: { "test_batch.png": png.subarray(0, png.length - 30), "test_lables.json": "[0, 1]" },
  });
  const refused = async (name: string, code: string, split: "train" | "test" = "test") =>
    t.rejects(
      (async () => collect(await openDataset({ path: join(path, name), split }), { batchSize: 2 }))(),
      { code, exitCode: 2 },
      name,
    );
  await refused("gap", "HALP_DATA_MISSING", "train");
  await refused("cut", "HALP_DATA_FORMAT");
  await refused("nothing", "HALP_DATA_FORMAT");
  await refused("label", "HALP_LABEL_RANGE");
  await refused("wide", "HALP_DATA_SHAPE");
  await refused("few", "HALP_DATA_SHAPE");
  await refused("range", "HALP_LABEL_RANGE");
  await refused("unlabelled", "HALP_DATA_MISSING");
  await refused("broken", "HALP_DATA_FORMAT");
  await t.rejects(openDataset({ path: join(path, "few"), size: [224, 224] }), { code: "HALP_DATA_SHAPE" });
});
