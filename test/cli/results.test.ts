/** Results as people read them. */
import t from "tap";
import { renderPruneResult } from "../../src/cli/render-prune-result.js";
import { makeStyles } from "../../src/cli/style.js";
import type { PruneResult } from "../../src/pipeline/index.js";

const plain = makeStyles(false);

const result: PruneResult = {
  format: "halp.result/1",
  budgetRatio: 0.7,
  predictedRatio: 0.694,
  measuredRatio: 0.7012,
  heldAgainst: "measured",
  latencyNs: { dense: 20e6, pruned: 14.024e6 },
  spread: 0.02,
  parameters: { dense: 1_172_000, pruned: 900_000 },
  accuracy: { dense: 0.9173, pruned: 0.85 },
  maskedError: 1.2e-6,
  outputError: 0.123,
  importanceKept: 0.98,
  steps: 1,
  training: null,
  rounds: 2,
  groups: [
    { name: "conv1", dense: 16, kept: 8 },
    { name: "branch\u001b[2J", dense: 32, kept: 0 },
    { name: "head", dense: 4, kept: 4, frozen: "it is an output of the network" },
  ],
  output: "out.onnx",
  warnings: [],
};

t.test("the result of a pruning", async (t) => {
  const text = renderPruneResult(result, 80, plain);
  for (const line of [
    /^conv1 +16 +8 +########\.{8}$/m,
    /^branch\?\[2J +32 +gone +\.{16}$/m,
    /^and 1 frozen group/m,
    /^latency +20\.00 ms +14\.02 ms {2}\(70\.1 % of dense\)$/m,
    /^accuracy +91\.73 % +85\.00 %$/m,
    /^predicted +69\.4 %$/m,
    /^measured +70\.1 %, spread 2\.0 %/m,
    /^written +out\.onnx$/m,
  ])
    t.match(text, line);
  t.notMatch(renderPruneResult({ ...result, accuracy: null }, 80, plain), /accuracy/);
  const elsewhere = renderPruneResult({ ...result, heldAgainst: "predicted" }, 80, plain);
  t.match(elsewhere, /^predicted +69\.4 % on the table's device$/m);
  t.match(elsewhere, /^measured here +70\.1 %/m);
  t.ok(
    text.split("\n").every((line) => line.length <= 80),
    text,
  );
});
