/** Small networks to train, and data for them. */

import type { Batch } from "../../src/data/dataset.js";
import { createRandom, fillGaussian } from "../../src/data/index.js";
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Model } from "../../src/graph/ir.js";
import { float32Tensor, sizeOf } from "../../src/graph/tensors.js";

const opset = 17;

/** Two convolutions with batch norms around a residual sum, smooth activations, a linear layer. Input [N, 2, 6, 6], 3 classes. */
export function residualNetwork(activation = "Tanh", seed = 1): Model {
  const g = new GraphBuilder();
  const random = createRandom(seed);
  const weight = (name: string, dims: readonly number[], std: number, mean = 0) =>
    g.initializer(float32Tensor(name, dims, fillGaussian(new Float32Array(sizeOf(dims)), random, mean, std)));
  const norm = (name: string, x: string, c: number) =>
    g.node("BatchNormalization", [
      x,
      weight(`${name}.scale`, [c], 0.2, 1),
      weight(`${name}.bias`, [c], 0.2),
      g.initializer(float32Tensor(`${name}.mean`, [c], new Float32Array(c))),
      g.initializer(float32Tensor(`${name}.var`, [c], new Float32Array(c).fill(1))),
    ]);
  const conv = (name: string, x: string, from: number, to: number) =>
    g.node("Conv", [x, weight(`${name}.weight`, [to, from, 3, 3], Math.sqrt(2 / (9 * from)))], {
      pads: attr.ints([1, 1, 1, 1]),
    });
  const x = g.input("x", ["batch", 2, 6, 6]);
  const first = g.node(activation, [norm("bn1", conv("conv1", x, 2, 4), 4)]);
  const second = norm("bn2", conv("conv2", first, 4, 4), 4);
  const sum = g.node(activation, [g.node("Add", [second, first])]);
  const flat = g.node("Flatten", [g.node("GlobalAveragePool", [sum])]);
  const logits = g.node(
    "Gemm",
    [flat, weight("fc.weight", [3, 4], 0.5), weight("fc.bias", [3], 0.1)],
    { transB: attr.int(1) },
    { outputs: ["logits"] },
  );
  g.output(logits, ["batch", 3]);
  return g.model({ opset });
}

/** Residual blocks of two convolutions with batch norms at one size. Input [N, 8, 9, 9], 4 classes. */
export function deepNetwork(blocks: number): Model {
  const g = new GraphBuilder();
  const random = createRandom(3);
  const weight = (name: string, dims: readonly number[], std: number, mean = 0) =>
    g.initializer(
      float32Tensor(g.freshName(name), dims, fillGaussian(new Float32Array(sizeOf(dims)), random, mean, std)),
    );
  const layer = (x: string) => {
    const y = g.node("Conv", [x, weight("weight", [8, 8, 3, 3], 0.15)], { pads: attr.ints([1, 1, 1, 1]) });
    const statistics = [weight("mean", [8], 0.1), weight("var", [8], 0, 1)];
    return g.node("BatchNormalization", [y, weight("scale", [8], 0.2, 1), weight("bias", [8], 0.2), ...statistics]);
  };
  let y = g.input("x", ["batch", 8, 9, 9]);
  for (let i = 0; i < blocks; i++) y = g.node("Relu", [g.node("Add", [layer(g.node("Relu", [layer(y)])), y])]);
  const flat = g.node("Flatten", [g.node("GlobalAveragePool", [y])]);
  g.output(g.node("Gemm", [flat, weight("fc.weight", [8, 4], 0.5), weight("fc.bias", [4], 0.1)]), ["batch", 4]);
  return g.model({ opset });
}

/** y = x W + b: [N, inputs] to [N, outputs]. */
export function linearNetwork(inputs: number, outputs: number, seed = 1): Model {
  const g = new GraphBuilder();
  const random = createRandom(seed);
  const weight = (name: string, dims: readonly number[]) =>
    g.initializer(float32Tensor(name, dims, fillGaussian(new Float32Array(sizeOf(dims)), random, 0, 0.5)));
  const x = g.input("x", ["batch", inputs]);
  const y = g.node("Gemm", [x, weight("w", [inputs, outputs]), weight("b", [outputs])], {}, { outputs: ["y"] });
  g.output(y, ["batch", outputs]);
  return g.model({ opset });
}

/** Noise around one pattern per class. */
export function patternBatch(dims: readonly number[], classes: number, seed: number, noise = 0.5): Batch {
  const [n = 1, ...sample] = dims;
  const size = sizeOf(sample);
  const patterns = fillGaussian(new Float32Array(classes * size), createRandom(99));
  const random = createRandom(seed);
  const images = fillGaussian(new Float32Array(n * size), random, 0, noise);
  const labels = Int32Array.from({ length: n }, () => random.below(classes));
  labels.forEach((label, i) => {
    for (let k = 0; k < size; k++)
      images[i * size + k] = (images[i * size + k] ?? 0) + (patterns[label * size + k] ?? 0);
  });
  return { images, dims, labels };
}
