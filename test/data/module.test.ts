import { join } from "node:path";
import t from "tap";
import { openDataset } from "../../src/data/open-dataset.js";
import { collect } from "./files.js";

/** Batches of 3, 1, 4 and 2 samples of two numbers: sample i is [i, -i], its label i. */
const body = `
  let next = 0;
  for (const n of [3, 1, 4, 2]) {
    const images = new Float32Array(n * 2), labels = [];
    for (let i = 0; i < n; i++) { images[2 * i] = next; images[2 * i + 1] = -next; labels.push(next++); }
    yield { images, dims: [n, 2], labels };
  }
`;

t.test("a module's batches are cut to the size asked for", async (t) => {
  const path = t.testdir({
    "generator.mjs": `export default function* () {${body}}`,
    "async.mjs": `export default async function* () {${body}}`,
    "promise.mjs": `export default async () => (function* () {${body}})();`,
    "iterable.mjs": `export default { async *[Symbol.asyncIterator]() {${body}} };`,
    "array.mjs": `export default [...(function* () {${body}})()];`,
    "common.cjs": `module.exports = function* () {${body}};`,
  });
  for (const name of ["generator.mjs", "async.mjs", "promise.mjs", "iterable.mjs", "array.mjs", "common.cjs"]) {
    const data = await openDataset({ path: join(path, name), classes: 10 });
    t.same([data.size, data.sampleDims, data.labelled], [undefined, [2], true], name);
    for (const batchSize of [1, 2, 3, 4, 7, 20]) {
      for (const limit of [undefined, 1, 5, 10, 40]) {
        for (const dropLast of [false, true]) {
          const batches = await collect(data, { batchSize, dropLast, ...(limit === undefined ? {} : { limit }) });
          const total = Math.min(10, limit ?? 10);
          const count = dropLast ? total - (total % batchSize) : total;
          const labels = batches.flatMap((b) => [...b.labels!]);
          const numbers = batches.flatMap((b) => [...b.images]);
          const whole = batches.slice(0, -1).every((b) => b.dims[0] === batchSize);
          const want = Array.from({ length: count }, (_, i) => i);
          if (
            labels.join() !== want.join() ||
            !whole ||
            numbers.some((v, i) => v !== want[i >> 1]! * (i % 2 ? -1 : 1))
          ) {
            t.fail(`${name}: batch size ${batchSize}, limit ${limit}, dropLast ${dropLast}: ${labels}`);
          }
        }
      }
    }
  }
});

t.test("the module is told what is asked, is normalised on request, and ends when the reader does", async (t) => {
  const path = t.testdir({
    "m.mjs": `
      export const calls = [];
      export let open = 0;
      export default function* (options) {
        calls.push(options);
        open++;
        try { for (;;) yield { images: [1, 2], dims: [1, 2, 1, 1] }; } finally { open--; }
      }`,
  });
  const file = join(path, "m.mjs");
  const data = await openDataset({ path: file, split: "train", normalize: { mean: [1, 0], std: [1, 4] } });
  const batches = await collect(data, { batchSize: 2, limit: 3, shuffleSeed: 8 });
  t.same(
    batches.map((b) => [b.dims, [...b.images], b.labels]),
    [
      [[2, 2, 1, 1], [0, 0.5, 0, 0.5], undefined],
      [[1, 2, 1, 1], [0, 0.5], undefined],
    ],
  );
  const module = await import(file);
  t.equal(module.open, 0, "every iterator was closed");
  t.match(module.calls.at(-1), { batchSize: 2, limit: 3, shuffleSeed: 8, split: "train" });
});

t.test("what a module may not do", async (t) => {
  const path = t.testdir({
    "syntax.mjs": "export default function* ( {",
    "throws.mjs": "throw new Error('no licence');",
    "nothing.mjs": "export const x = 1;",
    "once.mjs": "export default (function* () { yield 1; })();",
    "number.mjs": "export default () => 3;",
    "empty.mjs": "export default () => [];",
    "shape.mjs": "export default () => [{ images: [1, 2, 3], dims: [1, 2] }];",
    "batch.mjs": "export default () => [{ data: [1] }];",
    "labels.mjs": "export default () => [{ images: [1, 2], dims: [2, 1], labels: [0] }];",
    "range.mjs": "export default () => [{ images: [1, 2], dims: [2, 1], labels: [0, 3] }];",
    "changes.mjs": "export default () => [{ images: [1, 2], dims: [1, 2] }, { images: [1, 2], dims: [2, 1] }];",
    "some.mjs": "export default () => [{ images: [1], dims: [1, 1], labels: [0] }, { images: [1], dims: [1, 1] }];",
    "size.mjs": "export default () => [{ images: [1], dims: [1, 1, 1, 1] }];",
  });
  const expected = {
    syntax: "HALP_DATA_FORMAT",
    throws: "HALP_DATA_FORMAT",
    nothing: "HALP_DATA_FORMAT",
    once: "HALP_DATA_FORMAT",
    number: "HALP_DATA_FORMAT",
    empty: "HALP_DATA_SHAPE",
    shape: "HALP_DATA_SHAPE",
    batch: "HALP_DATA_FORMAT",
    labels: "HALP_DATA_SHAPE",
    range: "HALP_LABEL_RANGE",
    changes: "HALP_DATA_SHAPE",
    some: "HALP_DATA_SHAPE",
  };
  for (const [name, code] of Object.entries(expected)) {
    const work = async () =>
      collect(await openDataset({ path: join(path, `${name}.mjs`), classes: 3 }), { batchSize: 8 });
    await t.rejects(work(), { name: "HalpError", code, exitCode: 2 }, name);
  }
  await t.rejects(openDataset({ path: join(path, "size.mjs"), size: [2, 2] }), { code: "HALP_DATA_SHAPE" });
  await t.rejects(openDataset({ path: join(path, "gone.mjs"), kind: "module" }), {
    code: "HALP_DATA_MISSING",
    exitCode: 2,
  });
});
