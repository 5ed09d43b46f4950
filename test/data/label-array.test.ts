/** Labels that are numbers of any shape, from every source that can hold them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zipSync } from "fflate";
import t from "tap";
import { openDataset, openLoader } from "../../src/data/index.js";
import { bytesOf, collect, idxBytes, npyBytes, patternBytes, pngBytes } from "./files.js";

const folder = t.testdir();
const at = (name: string) => join(folder, name);
const count = 7;
const dims = [2, 3];
const valueAt = (sample: number, i: number) => 10 * sample + i + 0.25;
const values = Float32Array.from({ length: count * 6 }, (_, i) => valueAt(Math.floor(i / 6), i % 6));
const x = Float32Array.from({ length: count * 4 }, (_, i) => Math.floor(i / 4));
writeFileSync(at("x.npy"), npyBytes("<f4", [count, 1, 2, 2], bytesOf(x)));
writeFileSync(at("y.npy"), npyBytes("<f4", [count, ...dims], bytesOf(values)));
writeFileSync(
  at("both.npz"),
  zipSync({
    "x.npy": npyBytes("<f4", [count, 1, 2, 2], bytesOf(x)),
    "y.npy": npyBytes("<f8", [count, ...dims], bytesOf(Float64Array.from(values))),
  }),
);
writeFileSync(at("bytes.idx"), idxBytes([count, ...dims], patternBytes(count * 6)));
const nested = Array.from({ length: count }, (_, n) => [0, 3].map((i) => [0, 1, 2].map((j) => valueAt(n, i + j))));
writeFileSync(at("nested.json"), JSON.stringify(nested));
writeFileSync(at("ragged.json"), JSON.stringify([[1, 2], [3]]));
writeFileSync(
  at("module.mjs"),
  `export default function* () {
    for (let n = 0; n < ${count}; n += 2) {
      const samples = [n, n + 1].filter((i) => i < ${count});
      yield {
        images: samples.flatMap((i) => [i, i, i, i]), dims: [samples.length, 1, 2, 2],
        labels: samples.flatMap((i) => [0, 1, 2, 3, 4, 5].map((k) => 10 * i + k + 0.25)), labelDims: [samples.length, 2, 3],
      };
    }
  }`,
);
writeFileSync(
  at("uneven.mjs"),
  `export default () => [
    { images: [1], dims: [1, 1], labels: [1, 2], labelDims: [1, 2] }, { images: [1], dims: [1, 1], labels: [1], labelDims: [1, 1] },
  ];`,
);
mkdirSync(at("photos"));
for (let i = 0; i < count; i++)
  writeFileSync(at(`photos/${i}.png`), await pngBytes(2, 2, 3, new Uint8Array(12).fill(i)));

t.test("each sample keeps what labels it, in any order and any batch", async (t) => {
  const sources = {
    npy: { path: at("x.npy") },
    "npy and JSON": { path: at("x.npy"), labels: at("nested.json") },
    npz: { path: at("both.npz") },
    module: { path: at("module.mjs") },
    images: { path: at("photos"), labels: at("y.npy") },
  };
  for (const [name, spec] of Object.entries(sources)) {
    const dataset = await openDataset({ ...spec, labelsAs: "numbers" });
    t.equal(dataset.labelled, false, name);
    t.same(dataset.labelDims, dims);
    for (const batchSize of [1, 3, count]) {
      const batches = await collect(dataset, { batchSize, ...(name === "module" ? {} : { shuffleSeed: 5 }) });
      let seen = 0;
      for (const { images, dims: shape, labelArray, labels } of batches) {
        const [n = 0] = shape;
        t.equal(labels, undefined);
        t.same(labelArray?.dims, [n, ...dims]);
        for (let i = 0; i < n; i++) {
          const pixel = images[(i * images.length) / n] as number;
          const sample = name === "images" ? Math.round(pixel * 255) : pixel;
          const own = [...(labelArray?.data.subarray(6 * i, 6 * i + 6) ?? [])];
          if (own.some((v, k) => v !== valueAt(sample, k))) t.fail(`${name}: sample ${sample} has ${own}`);
          seen++;
        }
      }
      t.equal(seen, count);
    }
  }
});

t.test("bytes of IDX become numbers", async (t) => {
  const dataset = await openDataset({ path: at("x.npy"), labels: at("bytes.idx"), labelsAs: "numbers" });
  const [batch] = await collect(dataset, { batchSize: count });
  t.same([...(batch?.labelArray?.data ?? [])], [...patternBytes(count * 6)]);
});

t.test("the loader hands them on, and refuses to flip images away from their masks", async (t) => {
  const dataset = { path: at("x.npy"), labelsAs: "numbers" } as const;
  await using loader = await openLoader({ dataset, batchSize: 3, seed: 1 });
  t.same(loader.info.labelDims, dims);
  for await (const { images, labelArray } of loader.epoch(0)) {
    t.equal(labelArray?.data.length, 18);
    t.equal(labelArray?.data[0], valueAt(images[0] as number, 0));
  }
  await t.rejects(openLoader({ dataset, batchSize: 3, seed: 1, augment: { flip: true } }), {
    code: "HALP_DATA_OPTION",
    message: /would not move with an image/,
  });
});

t.test("what is refused", async (t) => {
  // Where classes are wanted, a row of numbers is none.
  await t.rejects(openDataset({ path: at("x.npy") }), { code: "HALP_DATA_SHAPE" });
  await t.rejects(openDataset({ path: at("x.npy"), labels: at("ragged.json"), labelsAs: "numbers" }), {
    code: "HALP_DATA_SHAPE",
  });
  writeFileSync(at("few.npy"), npyBytes("<f4", [count - 1, 2], bytesOf(new Float32Array(2 * count - 2))));
  await t.rejects(openDataset({ path: at("x.npy"), labels: at("few.npy"), labelsAs: "numbers" }), {
    code: "HALP_DATA_SHAPE",
    message: /6 labels for 7 samples/,
  });
  writeFileSync(at("not.json"), "{");
  await t.rejects(openDataset({ path: at("x.npy"), labels: at("not.json"), labelsAs: "numbers" }), {
    code: "HALP_DATA_FORMAT",
  });
  const uneven = await openDataset({ path: at("uneven.mjs"), labelsAs: "numbers" });
  await t.rejects(collect(uneven, { batchSize: 1 }), { code: "HALP_DATA_SHAPE" });
});
