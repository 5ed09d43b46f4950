/** A step on the way: no group is cut otherwise than the best plan for the last step has it. */
import fc from "fast-check";
import t from "tap";
import { analyzeCoupling, type Plan } from "../../src/coupling/index.js";
import type { AnalyzedGraph } from "../../src/graph/analysis.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import { type LayerConfig, networkConfigs, networkOf } from "../../src/latency/index.js";
import { findOperator } from "../../src/operators/index.js";
import type { PruneData } from "../../src/pipeline/data.js";
import type { Device } from "../../src/pipeline/devices.js";
import { prepareStep, type Stage } from "../../src/pipeline/steps.js";
import type { PruneOptions } from "../../src/pipeline/types.js";
import { applyPlan } from "../../src/rewrite/index.js";
import type { Saliency } from "../../src/saliency/index.js";
import { Net } from "../coupling/zoo.js";

/** Latency of a layer on a made-up device: its weights, by whole fours of output channels. */
function costOf(config: LayerConfig): number {
  const [weight] = config.constants.filter((c) => c.dims.length > 1);
  const [outputs = 1, ...rest] = weight?.dims ?? config.inputs[0]?.dims ?? [];
  return weight ? 4 * Math.ceil(outputs / 4) * rest.reduce((n, d) => n * d, 1) : 1;
}

const oracle = {
  isOwn: true,
  alignment: 1,
  networkOf: (analyzed: AnalyzedGraph) => networkOf(analyzed, { blockSize: 1 }),
  ensure: async () => {},
  latencyNs: costOf,
  predictNs: async (analyzed: AnalyzedGraph) =>
    networkConfigs(networkOf(analyzed, { blockSize: 1 }), { dimsOf: () => undefined }).reduce(
      (ns, config) => ns + costOf(config),
      0,
    ),
};

function network(): AnalyzedGraph {
  const n = new Net();
  let x = n.relu(n.conv("conv0", n.input(3), 3, 12));
  for (let i = 1; i < 5; i++) x = n.relu(n.conv(`conv${i}`, x, 12, 12));
  n.head(x, 12);
  return analyzeGraph(n.model(), findOperator, {});
}

t.test("each group stays, or goes as far as the plan for the last step has it go", async (t) => {
  const analyzed = network();
  const coupling = analyzeCoupling(analyzed, findOperator);
  const denseNs = await oracle.predictNs(analyzed);
  const devices = [{ name: "made up", oracle, ratio: 0.5, denseNs }] as unknown as Device[];
  const origin = Int32Array.from({ length: coupling.channelCount }, (_, i) => i);
  const stage: Stage = { analyzed, coupling, origin, kept: 1, keptOf: () => undefined };
  const least = Int32Array.from(coupling.groups, () => 1);
  const counts = (plan: Plan) => coupling.groups.map((g) => plan.kept[g.id]?.length ?? g.size);
  let different = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: origin.length, maxLength: origin.length }),
      fc.constantFrom(0.95, 0.85, 0.7),
      async (drawn, early) => {
        const importance = Float64Array.from(drawn);
        const score = async () => ({ importance, skippedBatches: 0, cut: [] }) as unknown as Saliency;
        const prepare = (toward?: readonly number[]) =>
          prepareStep(
            stage,
            { original: { analyzed, coupling } } as unknown as PruneData,
            devices,
            { steps: 4 } as PruneOptions,
            ...([
              least,
              0,
              (plan: Plan) => applyPlan(analyzed, coupling, plan, findOperator),
              score,
              () => {},
              toward,
            ] as const),
          );
        const free = await prepare();
        const [last, freely] = [await free([0.5 * denseNs]), await free([early * denseNs])];
        const found = await (await prepare([0.5 * denseNs]))([early * denseNs]);
        t.ok((found.candidate.predictedNs[0] ?? Number.NaN) <= early * denseNs);
        const [end, now] = [counts(last.candidate.plan), counts(found.candidate.plan)];
        now.forEach((k, g) => {
          if (k !== coupling.groups[g]?.size && k !== end[g]) throw new Error(`group ${g}: ${k}, at the end ${end[g]}`);
        });
        if (counts(freely.candidate.plan).join() !== now.join()) different++;
      },
    ),
    { numRuns: 25 },
  );
  t.ok(different > 5, `${different} of 25 differ from what an early target alone has`);
});
