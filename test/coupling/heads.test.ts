/** Attention: whole heads or places within heads go, as the user asks. */
import tap from "tap";
import { analyzeCoupling, type CouplingOptions } from "../../src/coupling/index.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import { findOperator } from "../../src/operators/index.js";
import { applyPlan, verifyRewrite } from "../../src/rewrite/index.js";
import { randomPlan, seeded } from "../rewrite/random-plan.js";
import { attentionNetworks } from "../zoo/attention.js";
import { Layers } from "../zoo/layers.js";
import type { ZooNetwork } from "../zoo/types.js";

const cases: readonly (readonly [network: string, options: CouplingOptions, free: readonly string[]])[] = [
  ["ViT, Q, K and V apart", { heads: ["*"] }, ["b0.q:2", "b0.mlp1:64", "b1.q:2", "b1.mlp1:64"]],
  ["ViT, QKV fused and split", { heads: ["*"] }, ["b0.qkv:2", "b0.mlp1:64", "b1.qkv:2", "b1.mlp1:64"]],
  ["ViT, QKV fused and indexed", { heads: ["*"] }, ["b0.qkv:2", "b0.mlp1:64", "b1.qkv:2", "b1.mlp1:64"]],
  [
    "ViT, more heads than places",
    { headWidth: ["*"] },
    ["b0.q:3", "b0.v:3", "b0.mlp1:64", "b1.q:3", "b1.v:3", "b1.mlp1:64"],
  ],
];

const batch = 2;

function analyzedOf(network: ZooNetwork | undefined) {
  if (!network) throw new Error("no such network");
  const net = new Layers(17);
  network.build(net);
  return analyzeGraph(net.b.model({ opset: 17 }), findOperator, { inputDims: new Map([["x", [batch, 3, 16, 16]]]) });
}

for (const [name, options, free] of cases)
  tap.test(`${name}, ${Object.keys(options)}`, async (t) => {
    const analyzed = analyzedOf(attentionNetworks.find((n) => n.name === name));
    const coupling = analyzeCoupling(analyzed, findOperator, options);
    t.same(
      coupling.groups.filter((g) => g.frozen === undefined).map((g) => `${g.name}:${g.size}`),
      free,
    );
    for (let seed = 0; seed < 10; seed++) {
      const plan = randomPlan(analyzed, coupling, seeded(seed), 0.4);
      const rewritten = applyPlan(analyzed, coupling, plan, findOperator);
      t.ok(verifyRewrite(analyzed, coupling, plan, rewritten, { seed }).maxError < 1e-4);
    }
  });

tap.test("a name that splits nothing is refused", async (t) => {
  const analyzed = analyzedOf(attentionNetworks[1]);
  for (const options of [{ heads: ["b0.mlp1"] }, { headWidth: ["nothing"] }])
    t.throws(() => analyzeCoupling(analyzed, findOperator, options), { code: "HALP_HEADS_NAME", exitCode: 2 });
});
