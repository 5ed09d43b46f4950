/** Groups that vanish one after the other, some refused: the state is that of those that went, as if they went at once. */
import fc from "fast-check";
import t from "tap";
import { analyzeCoupling } from "../../src/coupling/index.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import { findOperator } from "../../src/operators/index.js";
import { type Absence, openAbsence } from "../../src/rewrite/absence.js";
import { zoo as whole } from "../zoo/index.js";
import { Layers } from "../zoo/layers.js";
import { zoo } from "./zoo.js";

const networks = [
  ...zoo.map(({ name, model, inputs }) => ({ name, model, inputDims: new Map(Object.entries(inputs)) })),
  ...whole.map(({ name, build, opsets }) => {
    const net = new Layers(opsets?.at(-1) ?? 13);
    build(net);
    return { name, model: net.model(net.opset), inputDims: undefined };
  }),
];

const stateOf = ({ absentValues, dropped, gates }: Absence) => ({
  absent: [...absentValues].sort(),
  dropped: [...dropped].map(([n, slots]) => `${n.outputs} ${slots}`).sort(),
  gates: [...gates].map(([n, slots]) => `${n.outputs} ${slots}`).sort(),
});

let refusals = 0;
let vanished = 0;
for (const { name, model, inputDims } of networks)
  t.test(name, async (t) => {
    const analyzed = analyzeGraph(model, findOperator, inputDims ? { inputDims } : {});
    const coupling = analyzeCoupling(analyzed, findOperator);
    const ids = coupling.groups.map((g) => g.id);
    fc.assert(
      fc.property(fc.array(fc.array(fc.constantFrom(...ids), { maxLength: 3 }), { maxLength: 8 }), (sets) => {
        const steps = openAbsence(analyzed, coupling);
        const went: number[] = [];
        for (const set of sets) {
          const before = stateOf(steps);
          const probed = steps.probe(set);
          t.same(stateOf(steps), before, "probing changes nothing");
          const reason = steps.add(set);
          t.equal(reason, probed);
          if (reason === undefined) went.push(...set);
          else {
            refusals++;
            t.same(stateOf(steps), before, "refused, and all as before");
          }
        }
        const once = openAbsence(analyzed, coupling);
        t.equal(once.add(went), undefined);
        t.same(stateOf(steps), stateOf(once));
        vanished += went.length;
      }),
      { numRuns: 15 },
    );
  });

t.test("both cases came up", async (t) => {
  t.ok(refusals > 100, `${refusals} refused`);
  t.ok(vanished > 100, `${vanished} went`);
});
