import fc from "fast-check";
import t from "tap";
import { analyzeCoupling } from "../../src/coupling/index.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import { findOperator } from "../../src/operators/index.js";
import { applyPlan, verifyRewrite } from "../../src/rewrite/index.js";
import { randomNetwork } from "./random-network.js";
import { randomPlan, seeded } from "./random-plan.js";

t.test("masked equals removed for random plans of random networks", async (t) => {
  let pruned = 0;
  let runs = 0;
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1e6 }),
      fc.integer({ min: 1, max: 14 }),
      fc.integer(),
      (seed, steps, choice) => {
        const analyzed = analyzeGraph(randomNetwork(seed, steps), findOperator, { batch: 2 });
        const coupling = analyzeCoupling(analyzed, findOperator);
        const plan = randomPlan(analyzed, coupling, seeded(choice), 0.3);
        const rewritten = applyPlan(analyzed, coupling, plan, findOperator);
        verifyRewrite(analyzed, coupling, plan, rewritten, { seed });
        runs++;
        if (coupling.groups.some((g) => g.frozen === undefined)) pruned++;
      },
    ),
    { numRuns: 150, seed: 7 },
  );
  t.ok(pruned > 0.8 * runs, `${pruned} of ${runs} had something to prune`);
});
