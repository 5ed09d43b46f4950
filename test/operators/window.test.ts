/** `auto_pad` in numbers: a node with the padding that its window says does the same. */
import fc from "fast-check";
import t from "tap";
import { attr, withAttribute } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Attribute, Node } from "../../src/graph/ir.js";
import { float32Tensor, sizeOf } from "../../src/graph/tensors.js";
import { slidingWindow, spreadingWindow } from "../../src/operators/window.js";
import { createSession } from "../../src/runtime/index.js";

const ramp = (name: string, dims: readonly number[], start: number) =>
  float32Tensor(
    name,
    dims,
    Array.from({ length: sizeOf(dims) }, (_, i) => start + i),
  );

function outputOf(b: GraphBuilder, node: Node): string {
  const graph = { ...b.graph(), nodes: [node], outputs: [{ name: "y" }] };
  using session = createSession({ ...b.model({ opset: 13 }), graph });
  const y = session.run({}).y;
  return `${y?.dims}: ${y?.data}`;
}

const axis = fc.record({
  extent: fc.integer({ min: 4, max: 9 }),
  kernel: fc.integer({ min: 1, max: 4 }),
  stride: fc.integer({ min: 1, max: 3 }),
});
const mode = fc.constantFrom("SAME_UPPER", "SAME_LOWER", "VALID");

for (const opType of ["Conv", "MaxPool", "AveragePool", "ConvTranspose"])
  t.test(opType, async () => {
    fc.assert(
      fc.property(axis, axis, mode, (h, w, auto) => {
        // A window smaller than its stride would need negative padding, which the runtime's own kernels do not agree on.
        fc.pre(h.kernel >= h.stride && w.kernel >= w.stride);
        const kernel = [h.kernel, w.kernel];
        const b = new GraphBuilder();
        const inputs = [b.initializer(ramp("x", [1, 1, h.extent, w.extent], -7))];
        if (opType.startsWith("Conv")) inputs.push(b.initializer(ramp("w", [1, 1, ...kernel], 1)));
        const attributes: Record<string, Attribute> = {
          auto_pad: attr.string(auto),
          kernel_shape: attr.ints(kernel),
          strides: attr.ints([h.stride, w.stride]),
        };
        const node = {
          name: "",
          opType,
          domain: "",
          inputs,
          outputs: ["y"],
          attributes: new Map(Object.entries(attributes)),
        };
        const resolve = opType === "ConvTranspose" ? spreadingWindow : slidingWindow;
        const { before, after, output } = resolve(node, [h.extent, w.extent], kernel);
        const plain = withAttribute(
          withAttribute(node, "auto_pad", undefined),
          "pads",
          attr.ints([...before, ...after]),
        );
        const [wanted, found] = [outputOf(b, node), outputOf(b, plain)];
        if (wanted !== found || !wanted.startsWith(`1,1,${output}:`))
          throw new Error(`${auto}: ${wanted} with auto_pad, ${found} with pads ${before} ${after}, extents ${output}`);
      }),
      { numRuns: 40 },
    );
  });
