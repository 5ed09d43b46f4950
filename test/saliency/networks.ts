/** Small networks with everything that scores depend on. */
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Model } from "../../src/graph/ir.js";
import { float32Tensor, sizeOf } from "../../src/graph/tensors.js";
import { numbers } from "../autodiff/check-gradient.js";

export interface NetworkOptions {
  readonly batch?: number;
  readonly batchNorm?: boolean;
  readonly softmax?: boolean;
  readonly seed?: number;
  readonly opset?: number;
}

/** Conv, residual block with a depthwise convolution, pooling, linear layer: 3 x 6 x 6 images, 4 classes. Smooth (Tanh). */
export function smallClassifier(options: NetworkOptions = {}): Model {
  const { batch = 3, batchNorm = true, softmax = false, seed = 3, opset = 17 } = options;
  const next = numbers(seed);
  const b = new GraphBuilder();
  const weight = (name: string, dims: number[], scale = 1, shift = 0) =>
    b.initializer(
      float32Tensor(
        name,
        dims,
        Float32Array.from({ length: sizeOf(dims) }, () => shift + scale * (2 * next() - 1)),
      ),
    );
  const conv = (name: string, x: string, inputs: number, outputs: number, kernel: number, group = 1) => {
    const k = [kernel, kernel];
    const pad = (kernel - 1) / 2;
    const w = weight(`${name}.w`, [outputs, inputs / group, ...k], 1.5 / Math.sqrt((inputs / group) * kernel * kernel));
    const attributes = { kernel_shape: attr.ints(k), pads: attr.ints([pad, pad, pad, pad]), group: attr.int(group) };
    if (!batchNorm) return b.node("Conv", [x, w, weight(`${name}.b`, [outputs], 0.3)], attributes, { name });
    const y = b.node("Conv", [x, w], attributes, { name });
    const parameters = [
      weight(`${name}.gamma`, [outputs], 0.6, 0.8),
      weight(`${name}.beta`, [outputs], 0.3),
      weight(`${name}.mean`, [outputs], 0.3),
      weight(`${name}.var`, [outputs], 0.4, 1),
    ];
    return b.node("BatchNormalization", [y, ...parameters], {}, { name: `${name}.bn` });
  };
  const tanh = (x: string) => b.node("Tanh", [x]);
  b.input("x", [batch, 3, 6, 6]);
  const stem = tanh(conv("stem", "x", 3, 5, 3));
  const inner = tanh(conv("inner", stem, 5, 6, 1));
  const deep = tanh(conv("deep", inner, 6, 6, 3, 6));
  const out = conv("out", deep, 6, 5, 1);
  const sum = tanh(b.node("Add", [stem, out]));
  const flat = b.node("Flatten", [b.node("GlobalAveragePool", [sum])]);
  const fc = b.node(
    "Gemm",
    [flat, weight("fc.w", [4, 5], 1.5), weight("fc.b", [4], 0.5)],
    { transB: attr.int(1) },
    { name: "fc" },
  );
  b.output(softmax ? b.node("Softmax", [fc], { axis: attr.int(1) }) : fc, [batch, 4]);
  return b.model({ opset });
}

/** Two outputs of different size and magnitude: no classifier. */
export function twoHeads(batch = 2): Model {
  const next = numbers(11);
  const b = new GraphBuilder();
  const conv = (name: string, x: string, inputs: number, outputs: number, scale: number) => {
    const data = Float32Array.from({ length: outputs * inputs * 9 }, () => scale * (2 * next() - 1));
    const w = b.initializer(float32Tensor(`${name}.w`, [outputs, inputs, 3, 3], data));
    return b.node("Conv", [x, w], { kernel_shape: attr.ints([3, 3]), pads: attr.ints([1, 1, 1, 1]) }, { name });
  };
  b.input("x", [batch, 3, 4, 4]);
  const body = b.node("Tanh", [conv("body", "x", 3, 4, 0.5)]);
  b.output(conv("boxes", body, 4, 2, 10), [batch, 2, 4, 4]);
  b.output(conv("scores", body, 4, 3, 0.1), [batch, 3, 4, 4]);
  return b.model();
}
