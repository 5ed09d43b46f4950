import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { createAugmenter, parseAugmentation } from "../../src/data/augment.js";
import type { Layout } from "../../src/data/normalize.js";
import { createRandom, fillUniform, type Random } from "../../src/data/random.js";

/** Draws that are given beforehand. */
function drawing(...draws: number[]): Random {
  return { ...createRandom(0), below: () => draws.shift()! };
}

const shape = fc.record({
  channels: fc.integer({ min: 1, max: 4 }),
  height: fc.integer({ min: 3, max: 9 }),
  width: fc.integer({ min: 3, max: 9 }),
  layout: fc.constantFrom<Layout>("NCHW", "NHWC"),
});

function image({ channels, height, width, layout }: typeof shape extends fc.Arbitrary<infer S> ? S : never) {
  const dims = layout === "NCHW" ? [channels, height, width] : [height, width, channels];
  const at = (c: number, y: number, x: number) =>
    layout === "NCHW" ? (c * height + y) * width + x : (y * width + x) * channels + c;
  const values = fillUniform(
    new Float32Array(channels * height * width),
    createRandom(channels + height * width),
    1,
    2,
  );
  return { dims, at, values };
}

t.test("what is written is read; nonsense is refused", async (t) => {
  t.same(parseAugmentation("flip,crop:4"), { flip: true, crop: 4 });
  t.same(parseAugmentation(" flip , resized-crop "), { flip: true, resizedCrop: {} });
  t.same(parseAugmentation("resized-crop:0.5-1"), { resizedCrop: { scale: [0.5, 1] } });
  t.same(parseAugmentation("none"), {});
  const wrong =
    "|flop|flip:1|flip,flip|crop|crop:0|crop:-1|crop:1.5|crop:4:4|none,flip|resized-crop:|resized-crop:1-0.5";
  for (const text of [...wrong.split("|"), "resized-crop:0-1", "resized-crop:0.5-1.5", "resized-crop:1.2.3-1"])
    t.throws(() => parseAugmentation(text), { code: "HALP_DATA_OPTION", exitCode: 2 }, text);
});

t.test("only images are augmented, and only with what makes sense for them", async (t) => {
  const make = (by: object, dims: number[]) => () => createAugmenter(by, dims, "NCHW", []);
  for (const dims of [[], [8], [8, 8], [1, 3, 8, 8]])
    t.throws(make({ flip: true }, dims), { code: "HALP_DATA_OPTION" });
  for (const by of [
    { crop: 8 },
    { crop: -1 },
    { crop: 1.5 },
    { resizedCrop: { scale: [0, 1] } },
    { resizedCrop: { scale: [0.5, 2] } },
    { resizedCrop: { ratio: [2, 1] } },
    { resizedCrop: { ratio: [0, 1] } },
  ])
    t.throws(make(by, [3, 8, 9]), { code: "HALP_DATA_OPTION" }, JSON.stringify(by));
  for (const by of [{}, { flip: false }, { crop: 0 }]) t.equal(make(by, [8])(), undefined);
});

t.test("a mirrored image is mirrored; twice, it is what it was", async () => {
  fc.assert(
    fc.property(shape, (s) => {
      const { dims, at, values } = image(s);
      const flip = createAugmenter({ flip: true }, dims, s.layout, [])!;
      const changed = values.slice();
      flip(changed, 0, drawing(0));
      assert.deepEqual(changed, values);
      flip(changed, 0, drawing(1));
      for (let c = 0; c < s.channels; c++)
        for (let y = 0; y < s.height; y++)
          for (let x = 0; x < s.width; x++) assert.equal(changed[at(c, y, x)], values[at(c, y, s.width - 1 - x)]);
      flip(changed, 0, drawing(1));
      assert.deepEqual(changed, values);
    }),
  );
});

t.test("a crop is that of a padded image, and no other sample is touched", async () => {
  fc.assert(
    fc.property(shape, fc.integer({ min: 1, max: 2 }), fc.nat(), fc.nat(), fc.boolean(), (s, crop, a, b, mirrored) => {
      const [top, left] = [a % (2 * crop + 1), b % (2 * crop + 1)];
      const { dims, at, values } = image(s);
      const fill = Array.from({ length: s.channels }, (_, c) => -c - 1);
      const around = new Float32Array(3 * values.length).fill(7);
      around.set(values, values.length);
      const augment = createAugmenter({ crop, flip: true }, dims, s.layout, fill)!;
      augment(around, values.length, drawing(top, left, mirrored ? 1 : 0));
      const [ph, pw] = [s.height + 2 * crop, s.width + 2 * crop];
      for (let c = 0; c < s.channels; c++) {
        const padded = Array.from({ length: ph }, () => new Array<number>(pw).fill(fill[c]!));
        for (let y = 0; y < s.height; y++)
          for (let x = 0; x < s.width; x++) padded[y + crop]![x + crop] = values[at(c, y, x)]!;
        const cropped = padded.slice(top, top + s.height).map((row) => row.slice(left, left + s.width));
        if (mirrored) for (const row of cropped) row.reverse();
        for (let y = 0; y < s.height; y++)
          for (let x = 0; x < s.width; x++) assert.equal(around[values.length + at(c, y, x)], cropped[y]![x]);
      }
      assert.ok(around.every((v, i) => (i >= values.length && i < 2 * values.length) || v === 7));
    }),
  );
});

t.test("a resized crop of the whole is the image; a ramp stays a ramp within its bounds", async () => {
  fc.assert(
    fc.property(shape, fc.integer(), (s, seed) => {
      const { dims, at, values } = image(s);
      const same = values.slice();
      const ratio = s.width / s.height;
      const whole = createAugmenter({ resizedCrop: { scale: [1, 1], ratio: [ratio, ratio] } }, dims, s.layout, [])!;
      whole(same, 0, createRandom(seed));
      assert.deepEqual(same, values);

      const ramp = values.slice();
      for (let c = 0; c < s.channels; c++)
        for (let y = 0; y < s.height; y++) for (let x = 0; x < s.width; x++) ramp[at(c, y, x)] = 100 * y + x;
      createAugmenter({ resizedCrop: {} }, dims, s.layout, [])!(ramp, 0, createRandom(seed));
      for (let c = 0; c < s.channels; c++)
        for (let y = 0; y < s.height; y++)
          for (let x = 0; x < s.width; x++) {
            const value = ramp[at(c, y, x)]!;
            assert.ok(value >= 0 && value <= 100 * (s.height - 1) + s.width - 1);
            if (x > 0) assert.ok(value >= ramp[at(c, y, x - 1)]! - 1e-4);
            if (y > 0) assert.ok(value >= ramp[at(c, y - 1, x)]! - 1e-4);
          }
    }),
  );
});
