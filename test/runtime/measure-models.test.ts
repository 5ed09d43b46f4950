import t from "tap";
import { GraphBuilder } from "../../src/graph/builder.js";
import { float32Tensor } from "../../src/graph/tensors.js";
import { measureModels, measurePair } from "../../src/runtime/index.js";
import { timingsOf } from "../../src/runtime/measure-models.js";

function matMuls(count: number, batch: number | string = "n") {
  const g = new GraphBuilder();
  let y = g.input("x", [batch, 64]);
  const w = g.initializer(float32Tensor("w", [64, 64], new Float32Array(4096).fill(0.01)));
  for (let i = 0; i < count; i++) y = g.node("MatMul", [y, w]);
  g.output(y);
  return g.model();
}

t.test("times models against each other", async (t) => {
  const seen: number[] = [];
  const models = [matMuls(1), matMuls(12), matMuls(1)];
  const timings = await measureModels(models, {
    inputs: { x: [32, 64] },
    samples: 12,
    onProgress: (done) => seen.push(done),
  });
  t.equal(timings.latencies.length, 3);
  for (const l of timings.latencies) {
    t.equal(l.count, 12);
    t.ok(l.min > 0 && l.min <= l.q1 && l.q1 <= l.median && l.median <= l.q3);
  }
  t.equal(timings.ratios[0], 1);
  t.strictSame(
    timings.ratios,
    timings.latencies.map((l) => l.median / timings.latencies[0]!.median),
  );
  t.strictSame(
    seen,
    Array.from({ length: 12 }, (_, i) => i + 1),
  );
});

t.test("a pair has a ratio and a spread", async (t) => {
  const pair = await measurePair(matMuls(8, 4), matMuls(1, 4), { samples: 10 });
  t.ok(pair.ratio > 0);
  t.ok(pair.spread >= 0);
});

t.test("open dims must be given", async (t) => {
  await t.rejects(measureModels([matMuls(1)]), { code: "HALP_DYNAMIC_INPUT", message: /\[n, 64\]/ });
  await t.rejects(measureModels([new Uint8Array(4)]), { code: "HALP_RUNTIME_LOAD" });
});

t.test("ratios are of medians, and of rounds", (t) => {
  const { ratios, paired } = timingsOf({
    samples: [
      [10, 20, 40],
      [5, 10, 20],
    ],
  });
  t.strictSame(ratios, [1, 0.5]);
  t.strictSame(paired[1], { min: 0.5, q1: 0.5, median: 0.5, q3: 0.5, count: 3 }, "a drift does not show");
  t.end();
});
