import fc from "fast-check";
import t from "tap";
import { analyzeCoupling } from "../../src/coupling/index.js";
import { prunableMacs } from "../../src/coupling/prunable-macs.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import { findOperator } from "../../src/operators/index.js";
import { applyPlan, verifyRewrite } from "../../src/rewrite/index.js";
import { randomPlan, seeded } from "../rewrite/random-plan.js";
import { zoo } from "./index.js";
import { Layers } from "./layers.js";
import type { ZooNetwork } from "./types.js";

/** Those between which the forms of operators changed. */
const opsets = [9, 11, 13, 18, 20];

function analyze(network: ZooNetwork, opset: number) {
  const net = new Layers(opset);
  network.build(net);
  const analyzed = analyzeGraph(net.model(opset), findOperator, { batch: 2 });
  return { analyzed, coupling: analyzeCoupling(analyzed, findOperator) };
}

for (const network of zoo)
  t.test(network.name, async (t) => {
    for (const opset of network.opsets ?? opsets) {
      const { analyzed, coupling } = analyze(network, opset);
      const listed = (frozen: boolean) =>
        coupling.groups.filter((g) => (g.frozen !== undefined) === frozen).map((g) => `${g.name}:${g.size}`);
      t.same(listed(false), network.free, `opset ${opset}: groups that may be pruned`);
      t.same(listed(true), network.frozen, `opset ${opset}: groups that may not`);
      t.same(coupling.unknown, [], "every operator is known");
      const macs = prunableMacs(analyzed, coupling);
      t.ok(macs && macs.prunable / macs.all >= network.share, `share of MACs: ${macs && macs.prunable / macs.all}`);

      // Masked equals removed, whatever the plan.
      fc.assert(
        fc.property(fc.nat(), fc.constantFrom(0, 0.3), (seed, vanish) => {
          const plan = randomPlan(analyzed, coupling, seeded(seed), vanish);
          const rewritten = applyPlan(analyzed, coupling, plan, findOperator);
          return verifyRewrite(analyzed, coupling, plan, rewritten, { seed }).maxError < 1e-3;
        }),
        { numRuns: 6 },
      );
    }
  });
