/** A network looked up under other widths is the network that is rewritten to them. */
import t from "tap";
import { analyzeCoupling } from "../../src/coupling/index.js";
import { axisWidths, dimsAt } from "../../src/coupling/widths.js";
import type { AnalyzedGraph } from "../../src/graph/analysis.js";
import { layerKey, networkConfigs, networkOf } from "../../src/latency/index.js";
import { findOperator } from "../../src/operators/index.js";
import { applyPlan } from "../../src/rewrite/index.js";
import { uniform } from "../../src/runtime/index.js";
import { analyzed, blocks, trained } from "./networks.js";

const keysOf = (graph: AnalyzedGraph, dimsOf: (v: string) => readonly number[] | undefined): string[] =>
  networkConfigs(networkOf(graph, blocks), { dimsOf }).map(layerKey).sort();

for (const [name, open] of Object.entries(trained))
  t.test(`${name} under random widths`, (t) => {
    const graph = open();
    if (!graph) {
      t.comment("skipped: the network is not at hand");
      t.end();
      return;
    }
    const coupling = analyzeCoupling(graph, findOperator);
    const widths = axisWidths(coupling);
    const random = uniform(11);
    for (let round = 0; round < 6; round++) {
      const multiple = [1, 2, 4, 8, 16, 1][round]!;
      const kept = coupling.groups.map((g) => {
        const share = Math.max(1, Math.round((g.size * (0.3 + 0.7 * random())) / multiple)) * multiple;
        const count = g.frozen === undefined ? Math.min(g.size, share) : g.size;
        return Int32Array.from({ length: count }, (_, i) => i);
      });
      const counts = kept.map((k) => k.length);
      const { model } = applyPlan(graph, coupling, { kept }, findOperator);
      const inputs = Object.fromEntries(graph.inputDims);
      t.strictSame(
        keysOf(graph, (v) => dimsAt(graph, widths, v, counts)),
        keysOf(analyzed(model, inputs), () => undefined),
      );
    }
    t.end();
  });
