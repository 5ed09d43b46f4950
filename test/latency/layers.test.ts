import t from "tap";
import type { AnalyzedGraph } from "../../src/graph/analysis.js";
import { attr } from "../../src/graph/attributes.js";
import {
  createLatencyTable,
  measureLayers,
  measureMissing,
  networkConfigs,
  networkOf,
} from "../../src/latency/index.js";
import { analyzed, NetBuilder, trained } from "./networks.js";

/** A block of every kind of layer. */
function small(): AnalyzedGraph {
  const g = new NetBuilder();
  const x = g.node("Relu", [g.norm(g.conv(g.input("x", [1, 3, 16, 16]), 3, 32), 32)]);
  const y = g.node("Relu", [g.node("Add", [g.conv(x, 32, 32), x])]);
  const z = g.node(
    "Concat",
    [
      g.node("MaxPool", [y], { kernel_shape: attr.ints([2, 2]), strides: attr.ints([2, 2]) }),
      g.conv(y, 32, 17, 1, 1, 2),
    ],
    { axis: attr.int(1) },
  );
  g.output(g.node("Softmax", [g.node("Flatten", [g.node("GlobalAveragePool", [z])])]));
  return analyzed(g.model({ opset: 13 }));
}

const networks: Readonly<Record<string, () => AnalyzedGraph | undefined>> = { small, ...trained };

/** So that the machine is looked at once. */
const cacheDir = t.testdir();

for (const [name, open] of Object.entries(networks)) {
  const graph = open();
  t.test(
    `every kernel of ${name} is some layer's`,
    { skip: graph ? false : "the network is not at hand" },
    async (t) => {
      const table = await createLatencyTable({ cacheDir, patienceMs: 0 });
      const network = networkOf(graph!, table.device.traits);
      if (name === "small")
        await measureMissing(table, networkConfigs(network, { dimsOf: () => undefined }), { bankMs: 1 });
      // What the profiler costs a node is measured too, and on a busy machine may come to more than a kernel takes.
      const calibration = { ...table.device.calibration, nodeNs: 0 };
      const { layers, unattributedNs } = await measureLayers(network, {
        ...table,
        device: { ...table.device, calibration },
      });
      t.strictSame(
        layers.map((l) => l.name),
        network.segments.map((s) => s.name),
      );
      const total = layers.reduce((ns, l) => ns + l.measuredNs!, 0);
      t.ok(total > 0 && unattributedNs! < 0.1 * total, `${unattributedNs} of ${total} ns belong to no layer`);
      // The runtime's profile counts whole microseconds: a small Softmax may well take none.
      const silent = layers.filter((l) => /Conv|Gemm|MatMul/.test(l.operators) && l.measuredNs === 0);
      t.strictSame(silent, [], "each that works takes time");
      t.equal(
        layers.every((l) => l.predictedNs !== null),
        name === "small",
        "predicted where the table holds it, and not otherwise",
      );
    },
  );
}
