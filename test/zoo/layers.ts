/** Layers of the zoo's networks, in the form that operators have at the opset asked for. */
import { attr } from "../../src/graph/attributes.js";
import type { Attribute } from "../../src/graph/ir.js";
import { float32Tensor, int64Tensor } from "../../src/graph/tensors.js";
import { Net } from "../coupling/zoo.js";

type Attributes = Record<string, Attribute>;

export interface ConvOptions {
  /** Kernel, square or [height, width]. Default 3; padded so that stride 1 keeps the size. */
  readonly k?: number | readonly [number, number];
  readonly stride?: number;
  readonly group?: number;
  readonly dilation?: number;
}

export class Layers extends Net {
  constructor(readonly opset: number) {
    super();
  }

  /** Weights for sums over `fanIn` terms: activations keep their magnitude through depth. */
  scaled(name: string, dims: readonly number[], fanIn: number): string {
    const size = dims.reduce((n, d) => n * d, 1);
    const scale = 3 / Math.sqrt(fanIn);
    return this.b.initializer(
      float32Tensor(
        this.b.freshName(name),
        dims,
        Float32Array.from({ length: size }, () => this.random() * scale),
      ),
    );
  }
  ints(values: readonly number[]): string {
    return this.b.int64(values);
  }

  layer(name: string, x: string, cin: number, cout: number, options: ConvOptions = {}): string {
    const { k = 3, stride = 1, group = 1, dilation = 1 } = options;
    const [kh, kw] = typeof k === "number" ? [k, k] : k;
    const [ph, pw] = [((kh - 1) * dilation) >> 1, ((kw - 1) * dilation) >> 1];
    const w = this.scaled(`${name}.w`, [cout, cin / group, kh, kw], (cin / group) * kh * kw);
    return this.b.node(
      "Conv",
      [x, w, this.weights(`${name}.b`, [cout])],
      {
        kernel_shape: attr.ints([kh, kw]),
        strides: attr.ints([stride, stride]),
        dilations: attr.ints([dilation, dilation]),
        pads: attr.ints([ph, pw, ph, pw]),
        group: attr.int(group),
      },
      { name },
    );
  }
  /** Conv, batch norm. */
  convBn(name: string, x: string, cin: number, cout: number, options: ConvOptions = {}): string {
    return this.bn(`${name}.bn`, this.layer(name, x, cin, cout, options), cout);
  }
  /** Conv, batch norm, Relu. */
  cbr(name: string, x: string, cin: number, cout: number, options: ConvOptions = {}): string {
    return this.relu(this.convBn(name, x, cin, cout, options));
  }
  deconv(name: string, x: string, cin: number, cout: number): string {
    const inputs = [x, this.scaled(`${name}.w`, [cin, cout, 2, 2], cin), this.weights(`${name}.b`, [cout])];
    return this.b.node("ConvTranspose", inputs, { strides: attr.ints([2, 2]) }, { name });
  }
  linear(name: string, x: string, cin: number, cout: number): string {
    const inputs = [x, this.scaled(`${name}.w`, [cout, cin], cin), this.weights(`${name}.b`, [cout])];
    return this.b.node("Gemm", inputs, { transB: attr.int(1) }, { name });
  }
  /** MatMul and Add, on the last axis of any rank. */
  dense(name: string, x: string, cin: number, cout: number): string {
    const product = this.op("MatMul", [x, this.scaled(`${name}.w`, [cin, cout], cin)], {}, name);
    return this.op("Add", [product, this.weights(`${name}.b`, [cout])]);
  }

  add(a: string, b: string): string {
    return this.op("Add", [a, b]);
  }
  mul(a: string, b: string): string {
    return this.op("Mul", [a, b]);
  }
  concat(parts: string[], axis = 1): string {
    return this.op("Concat", parts, { axis: attr.int(axis) });
  }
  transpose(x: string, perm: readonly number[]): string {
    return this.op("Transpose", [x], { perm: attr.ints(perm) });
  }
  reshape(x: string, dims: readonly number[]): string {
    return this.op("Reshape", [x, this.ints(dims)]);
  }
  maxPool(x: string, k = 2, stride = 2): string {
    const pad = stride === 1 ? (k - 1) >> 1 : 0;
    const attributes: Attributes = { kernel_shape: attr.ints([k, k]), strides: attr.ints([stride, stride]) };
    return this.op("MaxPool", [x], { ...attributes, pads: attr.ints([pad, pad, pad, pad]) });
  }
  avgPool(x: string, k: number, stride: number): string {
    const pad = stride === 1 ? (k - 1) >> 1 : 0;
    const attributes: Attributes = { kernel_shape: attr.ints([k, k]), strides: attr.ints([stride, stride]) };
    return this.op("AveragePool", [x], { ...attributes, pads: attr.ints([pad, pad, pad, pad]) });
  }

  sigmoid(x: string): string {
    return this.op("Sigmoid", [x]);
  }
  silu(x: string): string {
    return this.mul(x, this.sigmoid(x));
  }
  clip(x: string, low: number, high: number): string {
    if (this.opset < 11) return this.op("Clip", [x], { min: attr.float(low), max: attr.float(high) });
    return this.op("Clip", [x, this.b.float32(low), this.b.float32(high)]);
  }
  hardSigmoid(x: string): string {
    return this.op("HardSigmoid", [x], { alpha: attr.float(1 / 6) });
  }
  hardSwish(x: string): string {
    return this.opset >= 14 ? this.op("HardSwish", [x]) : this.mul(x, this.hardSigmoid(x));
  }
  gelu(x: string): string {
    if (this.opset >= 20) return this.op("Gelu", [x]);
    const erf = this.op("Erf", [this.op("Div", [x, this.b.float32(Math.SQRT2)])]);
    return this.mul(this.mul(x, this.add(erf, this.b.float32(1))), this.b.float32(0.5));
  }

  /** One of the two forms of operators whose axes became an input. */
  #withAxes(opType: string, x: string, axes: readonly number[], since: number, more: Attributes = {}): string {
    if (this.opset < since) return this.op(opType, [x], { axes: attr.ints(axes), ...more });
    return this.op(opType, [x, this.ints(axes)], more);
  }
  squeeze(x: string, axes: readonly number[]): string {
    return this.#withAxes("Squeeze", x, axes, 13);
  }
  unsqueeze(x: string, axes: readonly number[]): string {
    return this.#withAxes("Unsqueeze", x, axes, 13);
  }
  mean(x: string, axes: readonly number[], keep = true): string {
    return this.#withAxes("ReduceMean", x, axes, 18, { keepdims: attr.int(keep ? 1 : 0) });
  }
  split(x: string, sizes: readonly number[], axis: number): readonly string[] {
    const attributes: Attributes = { axis: attr.int(axis) };
    if (this.opset < 13) attributes.split = attr.ints(sizes);
    const inputs = this.opset < 13 ? [x] : [x, this.ints(sizes)];
    return this.b.nodes("Split", inputs, { attributes, outputs: sizes.length });
  }
  slice(x: string, axes: readonly number[], starts: readonly number[], ends: readonly number[]): string {
    if (this.opset < 10)
      return this.op("Slice", [x], { axes: attr.ints(axes), starts: attr.ints(starts), ends: attr.ints(ends) });
    return this.op("Slice", [x, this.ints(starts), this.ints(ends), this.ints(axes)]);
  }
  pad(x: string, pads: readonly number[]): string {
    return this.opset < 11 ? this.op("Pad", [x], { pads: attr.ints(pads) }) : this.op("Pad", [x, this.ints(pads)]);
  }
  /** Nearest neighbour, twice as high and wide. */
  up(x: string): string {
    const mode = { mode: attr.string("nearest") };
    const scales = this.b.float32([1, 1, 2, 2]);
    if (this.opset < 10) return this.op("Upsample", [x, scales], mode);
    // The region of interest may be left out since 13.
    const roi = this.opset < 13 ? this.b.float32([]) : "";
    return this.op("Resize", this.opset < 11 ? [x, scales] : [x, roi, scales], mode);
  }
  softmax(x: string, axis: number): string {
    return this.op("Softmax", [x], { axis: attr.int(axis) });
  }
  /** Over the last axis. */
  layerNorm(name: string, x: string, c: number): string {
    const [scale, bias] = [this.weights(`${name}.scale`, [c], 1), this.weights(`${name}.bias`, [c])];
    if (this.opset >= 17) return this.op("LayerNormalization", [x, scale, bias], { axis: attr.int(-1) }, name);
    const centred = this.op("Sub", [x, this.mean(x, [-1])]);
    const variance = this.mean(this.op("Pow", [centred, this.b.float32(2)]), [-1]);
    const deviation = this.op("Sqrt", [this.add(variance, this.b.float32(1e-5))]);
    return this.add(this.mul(this.op("Div", [centred, deviation]), scale), bias);
  }

  globalPool(x: string): string {
    return this.op("GlobalAveragePool", [x]);
  }
  /** Squeeze and excitation by 1x1 convolutions. */
  excite(name: string, x: string, c: number, inner: number, gate = (v: string) => this.sigmoid(v)): string {
    const squeezed = this.relu(this.layer(`${name}.squeeze`, this.globalPool(x), c, inner, { k: 1 }));
    return this.mul(x, gate(this.layer(`${name}.excite`, squeezed, inner, c, { k: 1 })));
  }
  /** Global pooling, Flatten, linear classifier. */
  classify(x: string, c: number, classes = 5): void {
    this.b.output(this.linear("fc", this.op("Flatten", [this.globalPool(x)]), c, classes));
  }
  image(size = 16, channels = 3): string {
    return this.b.input("x", ["batch", channels, size, size]);
  }
}

/** A constant vector of integers in a Constant node, as tracing exporters write shapes. */
export function constantInts(net: Layers, values: readonly number[]): string {
  return net.op("Constant", [], { value: attr.tensor(int64Tensor("", [values.length], values)) });
}
