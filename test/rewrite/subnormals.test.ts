/** Subnormal weights are written as zeros, all others as they were. */
import fc from "fast-check";
import t from "tap";
import { analyzeCoupling } from "../../src/coupling/index.js";
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import type { Tensor } from "../../src/graph/ir.js";
import { float32Of, float32Tensor } from "../../src/graph/tensors.js";
import { findOperator } from "../../src/operators/index.js";
import { applyPlan } from "../../src/rewrite/index.js";
import { flushSubnormals } from "../../src/rewrite/subnormals.js";

const smallest = 2 ** -126;

t.test("any numbers, at any place in memory", async () => {
  const numbers = fc.float32Array({ maxLength: 30 });
  const tiny = fc.array(fc.tuple(fc.nat(29), fc.constantFrom(1e-45, -1e-45, 1e-40, -1.1e-38, smallest, -smallest)));
  fc.assert(
    fc.property(numbers, tiny, fc.nat(3), (values, places, shift) => {
      for (const [i, x] of places) if (i < values.length) values[i] = x;
      const memory = new Uint8Array(4 * values.length + shift);
      memory.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), shift);
      const tensor: Tensor = { ...float32Tensor("w", [values.length], values), bytes: memory.subarray(shift) };
      const before = memory.slice();
      const flushed = flushSubnormals(tensor);
      const expected = values.map((x) => (x !== 0 && Math.abs(x) < smallest ? 0 * Math.sign(x) : x));
      const came = float32Of(flushed);
      const none = expected.every((x, i) => Object.is(x, values[i]));
      return (
        came.length === expected.length &&
        expected.every((x, i) => Object.is(x, came[i])) &&
        (flushed === tensor) === none &&
        before.every((byte, i) => byte === memory[i])
      );
    }),
  );
});

t.test("a pruned network has none, cut or not", async (t) => {
  const g = new GraphBuilder();
  const weights = (name: string, dims: readonly number[]) => {
    const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => (i % 2 === 0 ? 1e-41 : i));
    return g.initializer(float32Tensor(name, dims, data));
  };
  const conv = (x: string, w: string) => g.node("Conv", [x, w], { kernel_shape: attr.ints([1, 1]) });
  const stem = conv(g.input("x", [1, 4, 3, 3]), weights("whole", [4, 4, 1, 1]));
  const y = conv(g.node("Relu", [conv(stem, weights("a", [8, 4, 1, 1]))]), weights("b", [2, 8, 1, 1]));
  g.output(y);
  const analyzed = analyzeGraph(g.model({ opset: 13 }), findOperator, {});
  const coupling = analyzeCoupling(analyzed, findOperator);
  const kept = coupling.groups.map((group) =>
    Int32Array.from({ length: group.size === 8 ? 5 : group.size }, (_, i) => i),
  );
  const { model } = applyPlan(analyzed, coupling, { kept }, findOperator);
  t.equal(model.graph.initializers.length, 3);
  for (const tensor of model.graph.initializers)
    t.ok(float32Of(tensor).every((x) => x === 0 || Math.abs(x) >= smallest) && float32Of(tensor).some((x) => x !== 0));
});
