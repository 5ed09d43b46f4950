/** The network of the demo: a residual one, as small as one can be that has something to prune. */
import { attr } from "../../graph/attributes.js";
import { GraphBuilder } from "../../graph/builder.js";
import type { Model } from "../../graph/ir.js";
import { float32Tensor, sizeOf } from "../../graph/tensors.js";

/**
 * x [batch, 1, 28, 28] -> a convolution that halves the image -> stages of residual blocks (He et al. 2015), each of two 3x3
 * convolutions with batch norms; every stage but the first halves the image -> global average -> logits [batch, 10].
 * Its weights are zero: they are drawn when its training begins.
 * @param stages channels and number of blocks of each stage
 */
export function digitNetwork(stages: readonly (readonly [channels: number, blocks: number])[]): Model {
  const g = new GraphBuilder();
  const weight = (name: string, dims: readonly number[], value = 0) =>
    g.initializer(float32Tensor(name, dims, new Float32Array(sizeOf(dims)).fill(value)));
  const conv = (name: string, x: string, from: number, to: number, size: number, stride: number) => {
    const pad = (size - 1) / 2;
    const y = g.node(
      "Conv",
      [x, weight(`${name}.weight`, [to, from, size, size])],
      {
        kernel_shape: attr.ints([size, size]),
        strides: attr.ints([stride, stride]),
        pads: attr.ints([pad, pad, pad, pad]),
      },
      { name },
    );
    const norm = (part: string, value: number) => weight(`${name}.bn.${part}`, [to], value);
    return g.node(
      "BatchNormalization",
      [y, norm("scale", 1), norm("bias", 0), norm("mean", 0), norm("var", 1)],
      {},
      { name: `${name}.bn` },
    );
  };
  const relu = (x: string) => g.node("Relu", [x]);

  let width = stages[0]?.[0] ?? 1;
  let x = relu(conv("stem", g.input("x", ["batch", 1, 28, 28]), 1, width, 3, 2));
  stages.forEach(([channels, blocks], s) => {
    for (let b = 0; b < blocks; b++) {
      const name = `stage${s + 1}.block${b + 1}`;
      const stride = s > 0 && b === 0 ? 2 : 1;
      const branch = relu(conv(`${name}.conv1`, x, width, channels, 3, stride));
      const shortcut = stride === 1 && width === channels ? x : conv(`${name}.shortcut`, x, width, channels, 1, stride);
      x = relu(g.node("Add", [conv(`${name}.conv2`, branch, channels, channels, 3, 1), shortcut]));
      width = channels;
    }
  });
  const features = g.node("Flatten", [g.node("GlobalAveragePool", [x])]);
  const logits = g.node(
    "Gemm",
    [features, weight("head.weight", [10, width]), weight("head.bias", [10])],
    { transB: attr.int(1) },
    { name: "head", outputs: ["logits"] },
  );
  g.output(logits, ["batch", 10]);
  return g.model({ name: "digits" });
}
