/** Which nodes are needed. */
import t from "tap";
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { float32Tensor } from "../../src/graph/tensors.js";
import { checkSorted, liveNodes, removeDeadNodes } from "../../src/graph/topology.js";

t.test("what no output depends on goes, with its weights", async (t) => {
  const b = new GraphBuilder();
  const x = b.input("x", [2]);
  const unused = b.input("unused", [2]);
  b.input("deadWeight", [2]);
  b.initializer(float32Tensor("deadWeight", [2], [1, 2]));
  b.initializer(float32Tensor("weight", [2], [1, 2]));
  const live = b.node("Add", [x, "weight"]);
  b.node("Add", [unused, "deadWeight"]);
  b.output(live);
  const graph = b.graph();
  t.strictSame(
    [...liveNodes(graph)].map((n) => n.outputs[0]),
    [live],
  );
  const lean = removeDeadNodes({
    ...graph,
    valueInfos: graph.nodes.flatMap((n) => n.outputs.map((name) => ({ name }))),
  });
  t.strictSame(
    lean.nodes.map((n) => n.outputs[0]),
    [live],
  );
  t.strictSame(
    lean.inputs.map((i) => i.name),
    ["x", "unused"],
    "an input of the network stays",
  );
  t.strictSame(
    lean.initializers.map((i) => i.name),
    ["weight"],
  );
  t.strictSame(
    lean.valueInfos.map((v) => v.name),
    [live],
  );
  checkSorted(lean);
});

t.test("what a subgraph reads is needed", async (t) => {
  const inner = new GraphBuilder(["captured"]);
  inner.output(inner.node("Neg", ["captured"]));
  const b = new GraphBuilder();
  const captured = b.node("Relu", [b.input("x", [2])], {}, { outputs: ["captured"] });
  const branch = attr.graph(inner.graph());
  b.output(b.node("If", [b.input("c", [], "bool")], { then_branch: branch, else_branch: branch }));
  t.ok([...liveNodes(b.graph())].some((n) => n.outputs[0] === captured));
});
