/** A small classifier, written to a file: for tests of commands. */
import { writeFileSync } from "node:fs";
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { float32Tensor } from "../../src/graph/tensors.js";
import { encodeModel } from "../../src/onnx/index.js";

/** x [N, 3, 8, 8] -> Conv to `width` -> Relu -> Conv to `width` -> Relu -> GlobalAveragePool -> Gemm -> logits [N, 4]. */
export function writeSmallModel(path: string, width = 8, dynamic: readonly (number | string)[] = ["N", 3, 8, 8]): void {
  const b = new GraphBuilder();
  let state = 1;
  const weights = (name: string, dims: readonly number[]) => {
    const size = dims.reduce((a, d) => a * d, 1);
    const data = Float32Array.from({ length: size }, () => {
      state = (state * 48271) % 2147483647;
      return (state / 2147483647 - 0.5) * 0.6;
    });
    return b.initializer(float32Tensor(name, dims, data));
  };
  const conv = { kernel_shape: attr.ints([3, 3]), pads: attr.ints([1, 1, 1, 1]) };
  const x = b.input("x", dynamic);
  const first = b.node("Relu", [b.node("Conv", [x, weights("w1", [width, 3, 3, 3])], conv, { name: "conv1" })]);
  const second = b.node("Relu", [
    b.node("Conv", [first, weights("w2", [width, width, 3, 3])], conv, { name: "conv2" }),
  ]);
  const pooled = b.node("Flatten", [b.node("GlobalAveragePool", [second])]);
  const logits = b.node("Gemm", [pooled, weights("w3", [4, width])], { transB: attr.int(1) }, { outputs: ["logits"] });
  b.output(logits, [dynamic[0] ?? 1, 4]);
  writeFileSync(path, encodeModel(b.model()));
}
