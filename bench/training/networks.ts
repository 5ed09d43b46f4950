/** Networks to train, with batch norm and random weights: of the same layers as those of torch_step.py. */
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Model } from "../../src/graph/ir.js";
import { float32Tensor, sizeOf } from "../../src/graph/tensors.js";
import { uniform } from "../../src/runtime/index.js";

export interface TrainingSubject {
  readonly name: "resnet20" | "resnet50";
  readonly dims: readonly [batch: number, ...sample: number[]];
  readonly classes: number;
  readonly model: () => Model;
}

export const subjects: readonly TrainingSubject[] = [
  { name: "resnet20", dims: [128, 3, 32, 32], classes: 10, model: () => resNet([3, 3, 3], 16, false, 10, false) },
  { name: "resnet50", dims: [8, 3, 224, 224], classes: 1000, model: () => resNet([3, 4, 6, 3], 64, true, 1000, true) },
];

/**
 * ResNet (arXiv 1512.03385) with projections where the size changes.
 * @param large the stem of ImageNet, 7x7 and a pool; otherwise that of CIFAR
 */
function resNet(blocks: readonly number[], stem: number, bottleneck: boolean, classes: number, large: boolean): Model {
  const g = new GraphBuilder();
  const next = uniform(1);
  const weights = (dims: readonly number[]): string => {
    const scale = Math.sqrt(24 / sizeOf(dims.slice(1)));
    const values = Float32Array.from({ length: sizeOf(dims) }, () => scale * (next() - 0.5));
    return g.initializer(float32Tensor(g.freshName("w"), dims, values));
  };
  const filled = (name: string, size: number, value: number) =>
    g.initializer(float32Tensor(g.freshName(name), [size], new Float32Array(size).fill(value)));
  const conv = (x: string, from: number, to: number, k: number, stride: number): string => {
    const y = g.node("Conv", [x, weights([to, from, k, k])], {
      kernel_shape: attr.ints([k, k]),
      strides: attr.ints([stride, stride]),
      pads: attr.ints([k >> 1, k >> 1, k >> 1, k >> 1]),
    });
    const statistics = [filled("scale", to, 1), filled("bias", to, 0), filled("mean", to, 0), filled("var", to, 1)];
    return g.node("BatchNormalization", [y, ...statistics]);
  };
  const relu = (x: string): string => g.node("Relu", [x]);
  const size = large ? 224 : 32;
  let y = relu(conv(g.input("x", ["batch", 3, size, size]), 3, stem, large ? 7 : 3, large ? 2 : 1));
  if (large)
    y = g.node("MaxPool", [y], {
      kernel_shape: attr.ints([3, 3]),
      strides: attr.ints([2, 2]),
      pads: attr.ints([1, 1, 1, 1]),
    });
  let width = stem;
  blocks.forEach((count, stage) => {
    const inner = stem << stage;
    const outer = bottleneck ? 4 * inner : inner;
    for (let i = 0; i < count; i++) {
      const stride = i === 0 && stage > 0 ? 2 : 1;
      const branch = bottleneck
        ? conv(relu(conv(relu(conv(y, width, inner, 1, 1)), inner, inner, 3, stride)), inner, outer, 1, 1)
        : conv(relu(conv(y, width, inner, 3, stride)), inner, outer, 3, 1);
      const shortcut = width === outer && stride === 1 ? y : conv(y, width, outer, 1, stride);
      y = relu(g.node("Add", [branch, shortcut]));
      width = outer;
    }
  });
  const flat = g.node("Flatten", [g.node("GlobalAveragePool", [y])]);
  const scores = g.node("Gemm", [flat, weights([classes, width]), filled("b", classes, 0)], { transB: attr.int(1) });
  g.output(scores, ["batch", classes]);
  return g.model({ opset: 13 });
}
