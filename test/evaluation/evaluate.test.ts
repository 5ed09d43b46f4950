import fc from "fast-check";
import t from "tap";
import type { Batch, Dataset } from "../../src/data/dataset.js";
import { evaluate } from "../../src/evaluation/index.js";
import { rankOf } from "../../src/evaluation/rank.js";
import { floatTensor } from "../../src/runtime/index.js";
import { fakeSession } from "./fake-session.js";

/** Samples are the scores themselves. */
function scoresDataset(scores: readonly (readonly number[])[], labels?: readonly number[]): Dataset {
  const width = scores[0]?.length ?? 1;
  return {
    name: "made-up scores",
    size: scores.length,
    sampleDims: [width],
    labelled: labels !== undefined,
    async *batches({ batchSize, limit = scores.length }): AsyncGenerator<Batch> {
      for (let i = 0; i < limit; i += batchSize) {
        const rows = scores.slice(i, Math.min(i + batchSize, limit));
        yield {
          images: Float32Array.from(rows.flat()),
          dims: [rows.length, width],
          ...(labels ? { labels: Int32Array.from(labels.slice(i, i + rows.length)) } : {}),
        };
      }
    },
  };
}
const identity = (batch: number | string) => fakeSession([batch, 6], (x) => ({ y: x }));

const scores = [
  [9, 8, 7, 6, 5, 4],
  [9, 8, 7, 6, 5, 4],
  [9, 8, 7, 6, 5, 4],
  [1, 1, 1, 1, 1, 1],
  [Number.NaN, 0, 0, 0, 0, 0],
];

t.test("top 1 and top 5, over batches that do not divide the data", async (t) => {
  const dataset = scoresDataset(scores, [0, 4, 5, 0, 1]);
  const seen: number[] = [];
  const result = await evaluate({
    session: identity("batch"),
    dataset,
    batchSize: 2,
    onProgress: (p) => seen.push(p.done),
  });
  t.strictSame(result, {
    format: "halp.evaluation/1",
    top1: 2 / 5,
    top5: 3 / 5,
    samples: 5,
    classes: 6,
    notFinite: 1,
  });
  t.strictSame(seen, [2, 4, 5]);
});

t.test("a fixed batch size is kept, and filled-up samples do not count", async (t) => {
  const session = identity(4);
  const result = await evaluate({ session, dataset: scoresDataset(scores, [0, 0, 0, 0, 0]), batchSize: 1 });
  t.strictSame(session.seen, [
    [4, 6],
    [4, 6],
  ]);
  t.equal(result.samples, 5);
  t.equal(result.top1, 4 / 5);
});

t.test("a limit is a limit", async (t) => {
  const dataset = scoresDataset(scores, [0, 0, 0, 0, 0]);
  t.equal((await evaluate({ session: identity("n"), dataset, batchSize: 2, limit: 3 })).samples, 3);
});

t.test("what cannot be evaluated is said", async (t) => {
  const labelled = scoresDataset(scores, [0, 0, 0, 0, 6]);
  const run = (options: Partial<Parameters<typeof evaluate>[0]>) =>
    evaluate({ session: identity("n"), dataset: labelled, batchSize: 2, ...options });
  await t.rejects(run({}), { code: "HALP_LABEL_RANGE", exitCode: 2, message: /Sample 4 .* label 6/ });
  await t.rejects(run({ dataset: scoresDataset(scores) }), { code: "HALP_EVALUATE_LABELS", exitCode: 2 });
  await t.rejects(run({ session: fakeSession(["n", 7], (x) => ({ y: x })) }), { code: "HALP_DATA_SHAPE", exitCode: 2 });
  const flat = fakeSession(["n", 6], (x) => ({ y: floatTensor(x.data as Float32Array, [x.data.length]) }));
  await t.rejects(run({ session: flat }), { code: "HALP_EVALUATE_OUTPUT", exitCode: 2 });
  await t.rejects(run({ dataset: scoresDataset([], []), session: fakeSession(["n", 1], (x) => ({ y: x })) }), {
    code: "HALP_DATA_EMPTY",
  });
  await t.rejects(run({ signal: AbortSignal.abort() }), { name: "AbortError" });
});

t.test("the rank is the label's place in a stable sort by falling score", async () => {
  fc.assert(
    fc.property(
      fc
        .array(fc.integer({ min: -3, max: 3 }), { minLength: 1, maxLength: 8 })
        .chain((s) => fc.tuple(fc.constant(s), fc.nat({ max: s.length - 1 }))),
      ([values, label]) => {
        const order = values.map((_, i) => i).sort((a, b) => values[b]! - values[a]! || a - b);
        return rankOf(Float32Array.from(values), label) === order.indexOf(label);
      },
    ),
  );
});
