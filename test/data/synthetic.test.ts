import t from "tap";
import { syntheticDataset } from "../../src/data/synthetic.js";
import { collect } from "./files.js";

t.test("noise: the same for the same seed, whatever the batches", async (t) => {
  const data = syntheticDataset([3, 5, 4], 9);
  t.same([data.size, data.labelled, data.sampleDims], [undefined, false, [3, 5, 4]]);
  const numbers = async (seed: number, batchSize: number, shuffleSeed?: number) => {
    const options = { batchSize, limit: 12, ...(shuffleSeed === undefined ? {} : { shuffleSeed }) };
    const batches = await collect(syntheticDataset([3, 5, 4], seed), options);
    t.ok(batches.every((b) => b.labels === undefined));
    return batches.flatMap((b) => [...b.images]);
  };
  const reference = await numbers(9, 12);
  t.equal(reference.length, 12 * 60);
  t.same(await numbers(9, 5), reference);
  t.notSame(await numbers(10, 12), reference);
  t.notSame(await numbers(9, 12, 0), reference);
  t.not(new Set(reference).size, 1);
});

t.test("noise: uniform in [0, 1), finite on request, ended by a signal", async (t) => {
  const data = syntheticDataset([2], 1, { distribution: "uniform", size: 10 });
  const batches = await collect(data, { batchSize: 4, dropLast: true });
  t.same(
    batches.map((b) => b.dims),
    [
      [4, 2],
      [4, 2],
    ],
  );
  t.ok(batches.every((b) => b.images.every((v) => v >= 0 && v < 1)));
  const controller = new AbortController();
  const endless = async () => {
    for await (const _ of syntheticDataset([2], 1).batches({ batchSize: 1, signal: controller.signal }))
      controller.abort();
  };
  await t.rejects(endless(), { name: "AbortError" });
  await t.rejects(collect(data, { batchSize: 0 }), { code: "HALP_DATA_OPTION" });
});
