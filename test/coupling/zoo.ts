/** Small networks whose coupling can be told by hand. */
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Attribute, Model } from "../../src/graph/ir.js";
import { float32Tensor } from "../../src/graph/tensors.js";

/** Builds networks layer by layer, with small random weights from a fixed sequence. */
export class Net {
  readonly b = new GraphBuilder();
  #state = 12345;

  random(): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return this.#state / 2 ** 32 - 0.5;
  }
  weights(name: string, dims: number[], offset = 0): string {
    const size = dims.reduce((n, d) => n * d, 1);
    return this.b.initializer(
      float32Tensor(
        this.b.freshName(name),
        dims,
        Float32Array.from({ length: size }, () => offset + this.random()),
      ),
    );
  }
  input(channels: number, size = 8, name = "x"): string {
    return this.b.input(name, [1, channels, size, size]);
  }
  conv(
    name: string,
    x: string,
    cin: number,
    cout: number,
    options: { k?: number; stride?: number; group?: number; bias?: boolean } = {},
  ): string {
    const { k = 3, stride = 1, group = 1, bias = true } = options;
    const pad = k >> 1;
    const inputs = [x, this.weights(`${name}.w`, [cout, cin / group, k, k])];
    if (bias) inputs.push(this.weights(`${name}.b`, [cout]));
    return this.b.node(
      "Conv",
      inputs,
      {
        kernel_shape: attr.ints([k, k]),
        strides: attr.ints([stride, stride]),
        pads: attr.ints([pad, pad, pad, pad]),
        group: attr.int(group),
      },
      { name },
    );
  }
  bn(name: string, x: string, c: number): string {
    const p = (n: string, offset: number) => this.weights(`${name}.${n}`, [c], offset);
    return this.b.node("BatchNormalization", [x, p("gamma", 1), p("beta", 0), p("mean", 0), p("var", 1)], {}, { name });
  }
  op(opType: string, inputs: string[], attributes: Record<string, Attribute> = {}, name = ""): string {
    return this.b.node(opType, inputs, attributes, { name });
  }
  relu(x: string): string {
    return this.op("Relu", [x]);
  }
  /** Global pooling and a linear classifier. */
  head(x: string, c: number, classes = 5): string {
    const flat = this.op("Flatten", [this.op("GlobalAveragePool", [x])]);
    const y = this.op(
      "Gemm",
      [flat, this.weights("fc.w", [classes, c]), this.weights("fc.b", [classes])],
      { transB: attr.int(1) },
      "fc",
    );
    this.b.output(y);
    return y;
  }
  model(opset = 13): Model {
    return this.b.model({ opset });
  }
}
