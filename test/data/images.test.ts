import { writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import t from "tap";
import { openDataset } from "../../src/data/open-dataset.js";
import { collect, jpegBytes, patternBytes, pngBytes } from "./files.js";

const flat = (rgb: readonly [number, number, number], width = 6, height = 4) =>
  pngBytes(
    width,
    height,
    3,
    new Uint8Array(width * height * 3).map((_, i) => rgb[i % 3]!),
  );

t.test("classes are folders, in the order of their names; the classes take turns", async (t) => {
  const path = t.testdir({
    cat: {
      "b.png": await flat([10, 0, 0]),
      "a.PNG": await flat([20, 0, 0]),
      deep: { "c.png": await flat([30, 0, 0]) },
    },
    ape: { "z.jpg": await jpegBytes(6, 4, [0, 0, 200]) },
    ".cache": { "x.png": "left alone" },
    "README.txt": "left alone",
  });
  const data = await openDataset({ path, normalize: { scale: 1 } });
  t.same([data.size, data.sampleDims, data.classes, data.labelled], [4, [3, 4, 6], 2, true]);
  t.same(data.classNames, ["ape", "cat"]);
  const [batch] = await collect(data, { batchSize: 9 });
  t.same([...batch!.labels!], [0, 1, 1, 1]);
  t.same(batch!.dims, [4, 3, 4, 6]);
  const red = [0, 1, 2, 3].map((i) => batch!.images[i * 72]);
  t.same(red.slice(1), [20, 10, 30], "a.PNG, b.png, deep/c.png");
  t.ok(Math.abs(batch!.images[48]! - 200) <= 2, "the blue of a JPEG, within its losses");
});

t.test("pixels land where each layout wants them", async (t) => {
  const bytes = patternBytes(5 * 3 * 3);
  const path = t.testdir({ one: { "a.png": await pngBytes(5, 3, 3, bytes) } });
  const normalize = { mean: [0.1, 0.2, 0.3], std: [0.5, 1, 2] };
  const pixel = (c: number, y: number, x: number) =>
    Math.fround((bytes[(y * 5 + x) * 3 + c]! / 255 - normalize.mean[c]!) / normalize.std[c]!);
  const [nchw] = await collect(await openDataset({ path, normalize }), { batchSize: 1 });
  const [nhwc] = await collect(await openDataset({ path, normalize, layout: "NHWC" }), { batchSize: 1 });
  t.same(nhwc!.dims, [1, 3, 5, 3]);
  let worst = 0;
  for (let c = 0; c < 3; c++) {
    for (let y = 0; y < 3; y++) {
      for (let x = 0; x < 5; x++) {
        const want = pixel(c, y, x);
        worst = Math.max(worst, Math.abs(nchw!.images[(c * 3 + y) * 5 + x]! - want));
        worst = Math.max(worst, Math.abs(nhwc!.images[(y * 5 + x) * 3 + c]! - want));
      }
    }
  }
  t.ok(worst < 1e-6, `worst difference ${worst}`);
});

t.test("grey, alpha, palette and 16 bits become RGB or luma", async (t) => {
  const grey = patternBytes(12);
  const rgba = patternBytes(12 * 4);
  const deep = Uint16Array.from(grey, (v) => v * 257);
  const path = t.testdir({
    "1-grey.png": await pngBytes(4, 3, 1, grey),
    "2-alpha.png": await pngBytes(4, 3, 4, rgba),
    "3-deep.png": await sharp(deep, { raw: { width: 4, height: 3, channels: 1 } })
      .toColourspace("grey16")
      .png()
      .toBuffer(),
    "4-palette.png": await sharp(
      patternBytes(36).map((v) => (v > 127 ? 255 : 0)),
      {
        raw: { width: 4, height: 3, channels: 3 },
      },
    )
      .png({ palette: true, colours: 8, dither: 0 })
      .toBuffer(),
  });
  t.equal((await sharp(join(path, "3-deep.png")).metadata()).depth, "ushort", "the fixture has 16 bits");
  t.equal((await sharp(join(path, "4-palette.png")).metadata()).isPalette, true, "the fixture has a palette");
  const read = async (channels: 1 | 3) => {
    const data = await openDataset({ path, channels, layout: "NHWC", normalize: { scale: 1 } });
    t.notOk(data.labelled, "a flat folder has no labels");
    const [batch] = await collect(data, { batchSize: 4 });
    const size = 12 * channels;
    return [0, 1, 2, 3].map((i) => [...batch!.images.subarray(i * size, (i + 1) * size)]);
  };
  const rgb = await read(3);
  const triple = [...grey].flatMap((v) => [v, v, v]);
  t.same(rgb[0], triple);
  t.same(
    rgb[1],
    [...rgba].filter((_, i) => i % 4 !== 3),
  );
  t.same(rgb[2], triple);
  t.same(
    rgb[3],
    [...patternBytes(36)].map((v) => (v > 127 ? 255 : 0)),
  );
  const luma = await read(1);
  t.same(luma[0], [...grey]);
  t.same(luma[2], [...grey]);
  const expected = Array.from({ length: 12 }, (_, i) => {
    const [r, g, b] = [rgba[i * 4]!, rgba[i * 4 + 1]!, rgba[i * 4 + 2]!];
    return Math.round(0.299 * r + 0.587 * g + 0.114 * b);
  });
  const off = luma[1]!.map((v, i) => Math.abs(v - expected[i]!));
  t.ok(Math.max(...off) <= 1, "luma by ITU-R 601, to rounding");
});

t.test("images are brought to the size the network wants, or refused", async (t) => {
  // Left half 0, right half 200, twice as wide as high.
  const halves = new Uint8Array(16 * 8 * 3).map((_, i) => (Math.floor(i / 3) % 16 < 8 ? 0 : 200));
  const path = t.testdir({
    a: { "1.png": await pngBytes(16, 8, 3, halves), "2.png": await flat([50, 60, 70], 9, 30) },
  });
  const normalize = { scale: 1 };
  const stretch = await openDataset({ path, normalize, size: [4, 4], fit: "stretch" });
  const [s] = await collect(stretch, { batchSize: 2 });
  t.same(s!.dims, [2, 3, 4, 4]);
  t.same([s!.images[0], s!.images[3]], [0, 200], "both ends are there");
  t.ok(
    s!.images.subarray(48, 64).every((v) => v === 50),
    "an even colour stays",
  );
  const cover = await openDataset({ path, normalize, size: [8, 8] });
  const [c] = await collect(cover, { batchSize: 2 });
  t.same([...c!.images.subarray(0, 8)], [0, 0, 0, 0, 200, 200, 200, 200], "the middle of the picture, unscaled");
  const average = new Uint8Array(64 * 64 * 3).map((_, i) => ((Math.floor(i / 3) % 64) % 2 ? 255 : 0));
  writeFileSync(join(path, "a", "1.png"), await pngBytes(64, 64, 3, average));
  const [small] = await collect(await openDataset({ path, normalize, size: [8, 8] }), { batchSize: 1 });
  const middle = [...small!.images.subarray(26, 30)];
  t.ok(
    middle.every((v) => Math.abs(v - 127.5) < 16),
    `stripes average out when an image shrinks: ${middle}`,
  );
  const asIs = await openDataset({ path, normalize });
  await t.rejects(collect(asIs, { batchSize: 2 }), { code: "HALP_DATA_SHAPE", exitCode: 2 });
});

t.test("splits are folders too", async (t) => {
  const path = t.testdir({
    train: { a: { "1.png": await flat([1, 1, 1]) }, b: { "2.png": await flat([2, 2, 2]) } },
    val: { a: { "3.png": await flat([3, 3, 3]) } },
  });
  t.equal((await openDataset({ path, split: "train" })).size, 2);
  t.equal((await openDataset({ path })).size, 1);
  const only = t.testdir({ train: { a: { "1.png": await flat([1, 1, 1]) } } });
  await t.rejects(openDataset({ path: only }), { code: "HALP_DATA_MISSING" });
});

t.test("labels for a flat folder come from a file", async (t) => {
  const path = t.testdir({
    pictures: { "a.png": await flat([1, 1, 1]), "b.png": await flat([2, 2, 2]) },
    "labels.txt": "3\n0\n",
    "short.json": "[3]",
  });
  const pictures = join(path, "pictures");
  const data = await openDataset({ path: pictures, labels: join(path, "labels.txt"), classes: 4 });
  const [batch] = await collect(data, { batchSize: 2 });
  t.same([...batch!.labels!], [3, 0]);
  await t.rejects(openDataset({ path: pictures, labels: join(path, "short.json") }), { code: "HALP_DATA_SHAPE" });
});

t.test("broken images, empty folders, too many classes", async (t) => {
  const png = await pngBytes(40, 30, 3, patternBytes(3600));
  const jpeg = await sharp(patternBytes(40 * 30 * 3), { raw: { width: 40, height: 30, channels: 3 } })
    .jpeg()
    .toBuffer();
  const corrupt = Buffer.from(png);
  corrupt[png.length - 40]! ^= 0xff;
  const good = () => ({ "0.png": png });
  const path = t.testdir({
    cut: { a: { ...good(), "1.png": png.subarray(0, png.length >> 1) } },
    corrupt: { a: { ...good(), "1.png": corrupt } },
    cutjpeg: { a: { ...good(), "1.jpg": jpeg.subarray(0, jpeg.length >> 1) } },
    text: { a: { ...good(), "1.png": "not an image" } },
    empty: {},
    hollow: { a: good(), b: {} },
    three: { a: good(), b: good(), c: good() },
  });
  for (const name of ["cut", "corrupt", "cutjpeg", "text"]) {
    const data = await openDataset({ path: join(path, name) });
    await t.rejects(
      collect(data, { batchSize: 1 }),
      { code: "HALP_DATA_FORMAT", exitCode: 2, file: /1\.(png|jpg)$/ },
      name,
    );
  }
  await t.rejects(openDataset({ path: join(path, "empty") }), { code: "HALP_DATA_MISSING" });
  await t.rejects(openDataset({ path: join(path, "hollow") }), { code: "HALP_DATA_MISSING" });
  await t.rejects(openDataset({ path: join(path, "three"), classes: 2 }), { code: "HALP_LABEL_RANGE" });
});
