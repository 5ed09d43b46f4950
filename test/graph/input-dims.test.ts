/** Dynamic dimensions: what is taken, what must be given, what is refused. */
import t from "tap";
import { resolveInputDims } from "../../src/graph/input-dims.js";
import type { Dim, Graph } from "../../src/graph/ir.js";
import { float32Tensor } from "../../src/graph/tensors.js";

function graphOf(inputs: Readonly<Record<string, readonly Dim[] | undefined>>, weights: readonly string[] = []): Graph {
  return {
    name: "g",
    nodes: [],
    inputs: Object.entries(inputs).map(([name, dims]) => ({
      name,
      dtype: "float32",
      dtypeCode: 1,
      ...(dims ? { dims } : {}),
    })),
    outputs: [],
    valueInfos: [],
    initializers: weights.map((name) => float32Tensor(name, [1], [0])),
  };
}
const resolved = (...args: Parameters<typeof resolveInputDims>) => Object.fromEntries(resolveInputDims(...args));

t.test("a dynamic batch is 1 unless given", async (t) => {
  for (const batch of ["batch", null, -1]) {
    const graph = graphOf({ x: [batch, 3, 8, 8] });
    t.strictSame(resolved(graph), { x: [1, 3, 8, 8] });
    t.strictSame(resolved(graph, { batch: 64 }), { x: [64, 3, 8, 8] });
  }
});

t.test("other dynamic dimensions must be given", async (t) => {
  const graph = graphOf({ x: ["n", 3, "height", null] });
  t.strictSame(resolved(graph, { inputs: { x: [2, 3, 48, 192] } }), { x: [2, 3, 48, 192] });
  t.throws(() => resolved(graph), {
    code: "HALP_DYNAMIC_DIM",
    message: /Dimension 2 \("height"\) of input "x" .* \[n, 3, height, \?\].*--input x=1x3x320x320/,
    exitCode: 2,
  });
  t.throws(() => resolved(graphOf({ x: undefined })), { code: "HALP_DYNAMIC_DIM", message: /--input x=/ });
  t.strictSame(resolved(graphOf({ x: undefined }), { inputs: { x: [4, 2] } }), { x: [4, 2] });
});

t.test("a named dimension is one extent everywhere", async (t) => {
  const graph = graphOf({ x: ["n", "length", 4], mask: ["n", "length"] });
  t.strictSame(resolved(graph, { inputs: { x: [2, 7, 4] } }), { x: [2, 7, 4], mask: [2, 7] });
  t.throws(() => resolved(graph, { inputs: { x: [2, 7, 4], mask: [2, 8] } }), { code: "HALP_INPUT_SHAPE" });
});

t.test("what contradicts the model is refused", async (t) => {
  const graph = graphOf({ x: ["n", 3, 8, 8] });
  const refused = (dims: number[], message: RegExp) =>
    t.throws(() => resolved(graph, { inputs: { x: dims } }), { code: "HALP_INPUT_SHAPE", message, exitCode: 2 });
  refused([1, 4, 8, 8], /dimension 1 must be 3/);
  refused([1, 3, 8], /4 dimensions are wanted, 3 came/);
  refused([0, 3, 8, 8], /whole number above 0/);
  refused([1.5, 3, 8, 8], /whole number above 0/);
  t.throws(() => resolved(graph, { inputs: { y: [1] } }), {
    code: "HALP_INPUT_NAME",
    message: /"y"; its inputs are "x"/,
  });
  t.throws(() => resolved(graph, { inputs: { x: [2, 3, 8, 8] }, batch: 4 }), {
    code: "HALP_INPUT_SHAPE",
    message: /batch 2, but batch 4/,
  });
});

t.test("a fixed batch cannot be another", async (t) => {
  const graph = graphOf({ x: [1, 3, 8, 8] });
  t.strictSame(resolved(graph, { batch: 1 }), { x: [1, 3, 8, 8] });
  t.throws(() => resolved(graph, { batch: 64 }), { code: "HALP_BATCH", message: /fixed batch of 1.*--batch 1/ });
  for (const batch of [0, -1, 1.5]) t.throws(() => resolved(graph, { batch }), { code: "HALP_BATCH" });
  t.strictSame(resolved(graphOf({ x: ["n", 3], sizes: [2] }), { batch: 8 }), { x: [8, 3], sizes: [2] });
});

t.test("weights that are inputs too are no inputs", async (t) => {
  t.strictSame(resolved(graphOf({ x: [1], w: ["dynamic", "dynamic"] }, ["w"])), { x: [1] });
});
