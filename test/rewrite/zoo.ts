/** Small networks with random weights, one for each way in which channels hang together. */
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Attribute, Model } from "../../src/graph/ir.js";
import { float32Tensor, int64Tensor, sizeOf } from "../../src/graph/tensors.js";
import { type Random, seeded } from "./random-plan.js";

export interface ZooNetwork {
  readonly name: string;
  readonly model: Model;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
}

type Attributes = Readonly<Record<string, Attribute>>;

/** Layers with random weights on top of a builder. */
class Layers {
  readonly b = new GraphBuilder();
  readonly #random: Random;
  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  weights(dims: readonly number[], name = this.b.freshName("w"), scale = 1): string {
    const data = Float32Array.from({ length: sizeOf(dims) }, () => (this.#random() * 2 - 1) * scale);
    return this.b.initializer(float32Tensor(name, dims, data));
  }
  /** Held in a Constant node, as old exporters do. */
  constantWeights(dims: readonly number[]): string {
    const data = Float32Array.from({ length: sizeOf(dims) }, () => this.#random() * 2 - 1);
    return this.b.node("Constant", [], { value: attr.tensor(float32Tensor("", dims, data)) });
  }
  conv(x: string, from: number, to: number, kernel = 3, attributes: Attributes = {}, groups = 1): string {
    const w = this.weights([to, from / groups, kernel, kernel]);
    return this.b.node("Conv", [x, w, this.weights([to])], {
      pads: attr.ints(new Array(4).fill((kernel - 1) / 2)),
      group: attr.int(groups),
      ...attributes,
    });
  }
  bn(x: string, channels: number): string {
    const variance = Float32Array.from({ length: channels }, () => 0.5 + this.#random());
    const v = this.b.initializer(float32Tensor(this.b.freshName("var"), [channels], variance));
    return this.b.node("BatchNormalization", [
      x,
      this.weights([channels]),
      this.weights([channels]),
      this.weights([channels]),
      v,
    ]);
  }
  relu(x: string): string {
    return this.b.node("Relu", [x]);
  }
  convBnRelu(x: string, from: number, to: number, kernel = 3, attributes: Attributes = {}, groups = 1): string {
    return this.relu(this.bn(this.conv(x, from, to, kernel, attributes, groups), to));
  }
  linearHead(x: string, channels: number, classes = 5): string {
    const pooled = this.b.node("GlobalAveragePool", [x]);
    const flat = this.b.node("Flatten", [pooled]);
    return this.b.node("Gemm", [flat, this.weights([classes, channels]), this.weights([classes])], {
      transB: attr.int(1),
    });
  }
}

interface Options {
  readonly opset?: number;
  readonly irVersion?: number;
  readonly inputDims?: readonly (number | string | null)[];
  readonly dims?: readonly number[];
}

function network(
  name: string,
  build: (l: Layers, x: string) => string | readonly string[],
  options: Options = {},
): ZooNetwork {
  const l = new Layers(name.length * 7919 + name.charCodeAt(0));
  const dims = options.dims ?? [2, 3, 8, 8];
  const x = l.b.input("x", options.inputDims ?? ["batch", ...dims.slice(1)]);
  const made = build(l, x);
  for (const y of typeof made === "string" ? [made] : made) l.b.output(y);
  const model = l.b.model({ opset: options.opset ?? 17, irVersion: options.irVersion ?? 8 });
  return { name, model: model.irVersion < 4 ? withDefaults(model) : model, inputs: { x: dims } };
}

/** Initialisers are graph inputs too, as versions of the IR before 4 demand. */
function withDefaults(model: Model): Model {
  const { graph } = model;
  const more = graph.initializers.map(({ name, dtype, dtypeCode, dims }) => ({ name, dtype, dtypeCode, dims }));
  return { ...model, graph: { ...graph, inputs: [...graph.inputs, ...more] } };
}

export const zoo: readonly ZooNetwork[] = [
  network("chain", (l, x) => l.linearHead(l.convBnRelu(l.convBnRelu(x, 3, 8), 8, 6), 6)),

  network(
    "PRelu, Constant nodes, old opset",
    (l, x) => {
      const c = l.b.node("Conv", [x, l.constantWeights([6, 3, 3, 3])], { pads: attr.ints([1, 1, 1, 1]) });
      const p = l.b.node("PRelu", [c, l.constantWeights([6, 1, 1])]);
      const s = l.b.node("Add", [l.b.node("Mul", [p, l.constantWeights([1, 6, 1, 1])]), l.constantWeights([6, 1, 1])]);
      return l.linearHead(s, 6);
    },
    { opset: 9, irVersion: 3 },
  ),

  network("residual identity", (l, x) => {
    let y = l.convBnRelu(x, 3, 8);
    for (let i = 0; i < 3; i++) {
      const inner = l.convBnRelu(y, 8, 5);
      y = l.relu(l.b.node("Add", i === 1 ? [y, l.bn(l.conv(inner, 5, 8), 8)] : [l.bn(l.conv(inner, 5, 8), 8), y]));
    }
    return l.linearHead(y, 8);
  }),

  network("residual projection", (l, x) => {
    const stem = l.convBnRelu(x, 3, 6);
    const inner = l.convBnRelu(stem, 6, 7, 3, { strides: attr.ints([2, 2]) });
    const left = l.bn(l.conv(inner, 7, 9), 9);
    const right = l.bn(l.conv(stem, 6, 9, 1, { strides: attr.ints([2, 2]), pads: attr.ints([0, 0, 0, 0]) }), 9);
    return l.linearHead(l.relu(l.b.node("Add", [left, right])), 9);
  }),

  network("branches by Sub and Sum", (l, x) => {
    const stem = l.convBnRelu(x, 3, 6);
    const a = l.conv(l.convBnRelu(stem, 6, 4), 4, 6);
    const b = l.conv(l.convBnRelu(stem, 6, 4), 4, 6);
    const c = l.conv(l.convBnRelu(stem, 6, 4), 4, 6);
    const d = l.b.node("Sub", [a, l.b.node("Sub", [b, stem])]);
    return l.linearHead(l.b.node("Sum", [c, d, stem]), 6);
  }),

  network("depthwise separable", (l, x) => {
    let y = l.convBnRelu(x, 3, 8);
    y = l.b.node("Clip", [l.bn(l.conv(y, 8, 8, 3, {}, 8), 8), l.b.float32(0), l.b.float32(6)]);
    y = l.convBnRelu(y, 8, 6, 1);
    y = l.relu(l.conv(y, 6, 12, 3, {}, 6)); // multiplier 2
    return l.linearHead(l.convBnRelu(y, 12, 5, 1), 5);
  }),

  network("grouped", (l, x) => {
    const y = l.convBnRelu(l.convBnRelu(x, 3, 8), 8, 12, 3, {}, 2);
    return l.linearHead(l.convBnRelu(y, 12, 12, 3, {}, 4), 12);
  }),

  network("squeeze and excitation", (l, x) => {
    let y = l.convBnRelu(x, 3, 8);
    for (const activation of ["Sigmoid", "HardSigmoid"]) {
      const squeezed = l.relu(l.conv(l.b.node("GlobalAveragePool", [y]), 8, 4, 1));
      const gate = l.b.node(activation, [l.conv(squeezed, 4, 8, 1)]);
      y = l.convBnRelu(l.b.node("Mul", [y, gate]), 8, 8);
    }
    const mean = l.b.node("ReduceMean", [y], { axes: attr.ints([2, 3]) });
    const inner = l.relu(l.conv(mean, 8, 3, 1));
    // Hard sigmoid by hand, with batch norm.
    const out = l.bn(l.conv(inner, 3, 8, 1), 8);
    const plus = l.b.node("Clip", [l.b.node("Add", [out, l.b.float32(3)]), l.b.float32(0), l.b.float32(6)]);
    return l.linearHead(l.b.node("Mul", [y, l.b.node("Div", [plus, l.b.float32(6)])]), 8);
  }),

  network("hard swish residual", (l, x) => {
    const swish = (v: string) => {
      const plus = l.b.node("Clip", [l.b.node("Add", [v, l.b.float32(3)]), l.b.float32(0), l.b.float32(6)]);
      return l.b.node("Div", [l.b.node("Mul", [v, plus]), l.b.float32(6)]);
    };
    const stem = swish(l.bn(l.conv(x, 3, 6), 6));
    const wide = swish(l.bn(l.conv(stem, 6, 10, 1), 10));
    const deep = swish(l.bn(l.conv(wide, 10, 10, 3, {}, 10), 10));
    return l.linearHead(l.b.node("Add", [stem, l.bn(l.conv(deep, 10, 6, 1), 6)]), 6);
  }),

  network(
    "pyramid",
    (l, x) => {
      const fine = l.convBnRelu(x, 3, 6);
      const coarse = l.convBnRelu(fine, 6, 8, 3, { strides: attr.ints([2, 2]) });
      const scales = l.b.float32([1, 1, 2, 2]);
      const up = l.b.node("Resize", [l.conv(coarse, 8, 5, 1), "", scales], { mode: attr.string("nearest") });
      const sizes = l.b.node(
        "Concat",
        [
          l.b.node("Constant", [], { value: attr.tensor(int64Tensor("", [2], [2, 8])) }),
          l.b.node("Constant", [], { value: attr.tensor(int64Tensor("", [2], [8, 8])) }),
        ],
        { axis: attr.int(0) },
      );
      const upToo = l.b.node("Resize", [coarse, "", "", sizes], { mode: attr.string("nearest") });
      const all = l.b.node("Concat", [up, fine, upToo, up], { axis: attr.int(1) });
      return l.b.node("Sigmoid", [l.conv(l.convBnRelu(all, 24, 7), 7, 2, 1)]);
    },
    { inputDims: [2, 3, 8, 8] },
  ),

  network("transposed head", (l, x) => {
    const y = l.convBnRelu(x, 3, 6);
    const up = l.b.node("ConvTranspose", [y, l.weights([6, 4, 2, 2]), l.weights([4])], { strides: attr.ints([2, 2]) });
    const grouped = l.b.node("ConvTranspose", [l.relu(l.bn(up, 4)), l.weights([4, 3, 2, 2])], {
      strides: attr.ints([2, 2]),
      group: attr.int(2),
    });
    return l.b.node("Sigmoid", [l.conv(grouped, 6, 1, 1)]);
  }),

  network("Flatten into Gemm", (l, x) => {
    const pooled = l.b.node("MaxPool", [l.convBnRelu(x, 3, 5)], {
      kernel_shape: attr.ints([2, 2]),
      strides: attr.ints([2, 2]),
    });
    const h = l.relu(l.b.node("Gemm", [l.b.node("Flatten", [pooled]), l.weights([80, 9]), l.weights([9])]));
    return l.b.node("Add", [l.b.node("MatMul", [h, l.weights([9, 4])]), l.weights([4])]);
  }),

  network("Flatten of HxWxC", (l, x) => {
    const y = l.b.node("Transpose", [l.convBnRelu(x, 3, 5)], { perm: attr.ints([0, 2, 3, 1]) });
    const flat = l.b.node("Reshape", [y, l.b.int64([-1, 320])]);
    return l.b.node("Gemm", [flat, l.weights([320, 4])]);
  }),

  network("Reshape from run-time shape", (l, x) => {
    const y = l.convBnRelu(x, 3, 6);
    const batch = l.b.node("Slice", [l.b.node("Shape", [y]), l.b.int64([0]), l.b.int64([1])]);
    const shape = l.b.node("Concat", [batch, l.b.int64([6 * 64])], { axis: attr.int(0) });
    return l.b.node("Gemm", [l.b.node("Reshape", [y, shape]), l.weights([6 * 64, 4])]);
  }),

  network("shortcut by Slice and Pad", (l, x) => {
    const stem = l.convBnRelu(x, 3, 4);
    const inner = l.convBnRelu(stem, 4, 5, 3, { strides: attr.ints([2, 2]) });
    const left = l.bn(l.conv(inner, 5, 8), 8);
    const strided = l.b.node("Slice", [
      stem,
      l.b.int64([0, 0]),
      l.b.int64([2147483647, 2147483647]),
      l.b.int64([2, 3]),
      l.b.int64([2, 2]),
    ]);
    const right = l.b.node("Pad", [strided, l.b.int64([0, 2, 0, 0, 0, 2, 0, 0])]);
    return l.linearHead(l.relu(l.b.node("Add", [left, right])), 8);
  }),

  network(
    "shortcut by Slice and Pad, attributes",
    (l, x) => {
      const stem = l.convBnRelu(x, 3, 4);
      const left = l.bn(l.conv(stem, 4, 8, 3, { strides: attr.ints([2, 2]) }), 8);
      const pooled = l.b.node("AveragePool", [stem], { kernel_shape: attr.ints([1, 1]), strides: attr.ints([2, 2]) });
      const right = l.b.node("Pad", [pooled], { pads: attr.ints([0, 1, 0, 0, 0, 3, 0, 0]) });
      const y = l.relu(l.b.node("Add", [left, right]));
      const part = l.b.node("Slice", [y], { starts: attr.ints([1]), ends: attr.ints([-2]), axes: attr.ints([1]) });
      return l.linearHead(part, 5);
    },
    { opset: 9 },
  ),

  network("Split, Slice and Gather of channels", (l, x) => {
    const y = l.convBnRelu(x, 3, 12);
    const [a = "", b = "", c = ""] = l.b.nodes("Split", [y, l.b.int64([3, 5, 4])], {
      attributes: { axis: attr.int(1) },
      outputs: 3,
    });
    const head = l.b.node("Slice", [y, l.b.int64([-5]), l.b.int64([Number.MAX_SAFE_INTEGER]), l.b.int64([1])]);
    const odd = l.b.node("Slice", [y, l.b.int64([10]), l.b.int64([-12]), l.b.int64([1]), l.b.int64([-2])]);
    const some = l.b.node("Gather", [y, l.b.int64([7, 0, -1, 3])], { axis: attr.int(1) });
    const all = l.b.node("Concat", [l.convBnRelu(a, 3, 4), b, l.convBnRelu(c, 4, 3), head, odd, some], {
      axis: attr.int(1),
    });
    return l.linearHead(all, 4 + 5 + 3 + 5 + 5 + 4);
  }),

  network(
    "equal Split, old opset",
    (l, x) => {
      const [a = "", b = ""] = l.b.nodes("Split", [l.convBnRelu(x, 3, 8)], {
        attributes: { axis: attr.int(1) },
        outputs: 2,
      });
      return l.linearHead(l.b.node("Concat", [a, l.convBnRelu(b, 4, 4)], { axis: attr.int(1) }), 8);
    },
    { opset: 11 },
  ),

  network(
    "Split by count, new opset",
    (l, x) => {
      const [a = "", b = ""] = l.b.nodes("Split", [l.convBnRelu(x, 3, 8)], {
        attributes: { axis: attr.int(1), num_outputs: attr.int(2) },
        outputs: 2,
      });
      return l.linearHead(l.b.node("Mul", [a, l.b.node("Sigmoid", [b])]), 4);
    },
    { opset: 18 },
  ),

  network("channel shuffle", (l, x) => {
    const y = l.convBnRelu(x, 3, 8, 3);
    const wide = l.b.node("Reshape", [y, l.b.int64([-1, 2, 4, 8, 8])]);
    const turned = l.b.node("Transpose", [wide], { perm: attr.ints([0, 2, 1, 3, 4]) });
    const flat = l.b.node("Reshape", [turned, l.b.int64([0, 8, 8, 8])]);
    return l.linearHead(l.convBnRelu(flat, 8, 6, 3, {}, 2), 6);
  }),

  network("shared batch norm by Identity", (l, x) => {
    const shared = ["scale", "bias", "mean"].map((n) => l.weights([6], n));
    const v = l.b.initializer(float32Tensor("variance", [6], Float32Array.of(1, 0.5, 2, 1.5, 0.7, 1)));
    const first = l.b.node("BatchNormalization", [l.conv(x, 3, 6), ...shared, v]);
    const copies = [...shared, v].map((n) => l.b.node("Identity", [n]));
    const second = l.b.node("BatchNormalization", [l.conv(l.relu(first), 6, 6), ...copies]);
    return l.linearHead(l.relu(second), 6);
  }),

  network("pixel shuffle", (l, x) => {
    const y = l.convBnRelu(l.convBnRelu(x, 3, 6), 6, 12);
    return l.conv(l.b.node("DepthToSpace", [y], { blocksize: attr.int(2), mode: attr.string("CRD") }), 3, 2);
  }),

  network("two heads on a dense block", (l, x) => {
    const a = l.convBnRelu(x, 3, 6);
    const b = l.b.node("Concat", [a, l.convBnRelu(a, 6, 4)], { axis: attr.int(1) });
    const c = l.b.node("Concat", [b, l.convBnRelu(b, 10, 4)], { axis: attr.int(1) });
    const boxes = l.b.node("Reshape", [
      l.b.node("Transpose", [l.conv(c, 14, 8)], { perm: attr.ints([0, 2, 3, 1]) }),
      l.b.int64([0, -1, 4]),
    ]);
    return [boxes, l.linearHead(c, 14)];
  }),

  network("ShuffleNet unit", (l, x) => {
    let y = l.convBnRelu(x, 3, 8);
    for (let i = 0; i < 2; i++) {
      const [left = "", right = ""] = l.b.nodes("Split", [y, l.b.int64([4, 4])], {
        attributes: { axis: attr.int(1) },
        outputs: 2,
      });
      const inner = l.bn(l.conv(l.convBnRelu(right, 4, 4, 1), 4, 4, 3, {}, 4), 4);
      const both = l.b.node("Concat", [left, l.convBnRelu(inner, 4, 4, 1)], { axis: attr.int(1) });
      const wide = l.b.node("Reshape", [both, l.b.int64([0, 2, 4, 8, -1])]);
      const turned = l.b.node("Transpose", [wide], { perm: attr.ints([0, 2, 1, 3, 4]) });
      y = l.b.node("Reshape", [turned, l.b.int64([-1, 8, 8, 8])]);
    }
    return l.linearHead(l.convBnRelu(y, 8, 6, 1), 6);
  }),

  network("shuffle with run-time shapes", (l, x) => {
    const y = l.convBnRelu(x, 3, 8);
    const shape = l.b.node("Shape", [y]);
    const part = (from: number, to: number) => l.b.node("Slice", [shape, l.b.int64([from]), l.b.int64([to])]);
    const half = l.b.node("Div", [part(1, 2), l.b.int64([2])]);
    const wideShape = l.b.node("Concat", [part(0, 1), l.b.int64([2]), half, part(2, 4)], { axis: attr.int(0) });
    const turned = l.b.node("Transpose", [l.b.node("Reshape", [y, wideShape])], { perm: attr.ints([0, 2, 1, 3, 4]) });
    const flatShape = l.b.node("Concat", [part(0, 1), l.b.int64([-1]), part(2, 4)], { axis: attr.int(0) });
    const flat = l.b.node("Reshape", [turned, flatShape]);
    return l.linearHead(l.convBnRelu(flat, 8, 6, 3, {}, 2), 6);
  }),

  network("groups that go whole", (l, x) => {
    const y = l.convBnRelu(x, 3, 12);
    return l.linearHead(l.convBnRelu(y, 12, 12, 3, {}, 6), 12);
  }),

  network("squeeze and excitation by Gemm", (l, x) => {
    const y = l.convBnRelu(x, 3, 8);
    const mean = l.b.node("Squeeze", [l.b.node("GlobalAveragePool", [y]), l.b.int64([2, 3])]);
    const inner = l.relu(l.b.node("Gemm", [mean, l.weights([8, 4]), l.weights([4])]));
    const gate = l.b.node("Sigmoid", [
      l.b.node("Add", [l.b.node("MatMul", [inner, l.weights([4, 8])]), l.weights([8])]),
    ]);
    const wide = l.b.node("Unsqueeze", [gate, l.b.int64([2, 3])]);
    const expanded = l.b.node("Expand", [wide, l.b.node("Shape", [y])]);
    const twice = l.b.node("Mul", [l.b.node("Mul", [y, wide]), expanded]);
    return l.linearHead(l.conv(twice, 8, 5), 5);
  }),

  network("channels last", (l, x) => {
    const y = l.b.node("Transpose", [l.convBnRelu(x, 3, 6)], { perm: attr.ints([0, 2, 3, 1]) });
    const scaled = l.b.node("Add", [l.b.node("Mul", [y, l.weights([6])]), l.weights([1, 1, 1, 6])]);
    const dense = l.relu(l.b.node("Add", [l.b.node("MatMul", [scaled, l.weights([6, 9])]), l.weights([9])]));
    const out = l.b.node("Add", [scaled, l.b.node("MatMul", [dense, l.weights([9, 6])])]);
    return l.linearHead(l.b.node("Transpose", [out], { perm: attr.ints([0, 3, 1, 2]) }), 6);
  }),

  network("upsampling to a run-time size", (l, x) => {
    const fine = l.convBnRelu(x, 3, 6);
    const coarse = l.convBnRelu(fine, 6, 5, 3, { strides: attr.ints([2, 2]) });
    const size = l.b.node("Slice", [l.b.node("Shape", [fine]), l.b.int64([2]), l.b.int64([4])]);
    const batch = l.b.node("Slice", [l.b.node("Shape", [fine]), l.b.int64([0]), l.b.int64([1])]);
    const baked = l.b.node("Concat", [batch, l.b.int64([5]), size], { axis: attr.int(0) });
    const up = l.b.node("Resize", [coarse, "", "", baked], { mode: attr.string("nearest") });
    const own = l.b.node("Slice", [l.b.node("Shape", [coarse]), l.b.int64([0]), l.b.int64([2])]);
    const taken = l.b.node("Concat", [own, size], { axis: attr.int(0) });
    const too = l.b.node("Resize", [coarse, "", "", taken], { mode: attr.string("nearest") });
    return l.linearHead(l.convBnRelu(l.b.node("Concat", [up, fine, too], { axis: attr.int(1) }), 16, 4), 4);
  }),

  network("padding of channels with a value", (l, x) => {
    const y = l.convBnRelu(x, 3, 4);
    const padded = l.b.node("Pad", [y, l.b.int64([0, 2, 1, 1, 0, -1, 1, 1]), l.b.float32(0.5)]);
    return l.linearHead(l.convBnRelu(padded, 5, 4), 4);
  }),

  network("attention", (l, x) => {
    const y = l.b.node("Reshape", [l.convBnRelu(x, 3, 8), l.b.int64([0, 8, 64])]);
    const tokens = l.b.node("Transpose", [y], { perm: attr.ints([0, 2, 1]) });
    const heads = (v: string) => {
      const split = l.b.node("Reshape", [l.b.node("MatMul", [v, l.weights([8, 12])]), l.b.int64([0, 64, 3, 4])]);
      return l.b.node("Transpose", [split], { perm: attr.ints([0, 2, 1, 3]) });
    };
    const keys = l.b.node("Transpose", [heads(tokens)], { perm: attr.ints([0, 1, 3, 2]) });
    const weights = l.b.node("Softmax", [l.b.node("MatMul", [heads(tokens), keys])], { axis: attr.int(-1) });
    const mixed = l.b.node("Transpose", [l.b.node("MatMul", [weights, heads(tokens)])], {
      perm: attr.ints([0, 2, 1, 3]),
    });
    const merged = l.b.node("Reshape", [mixed, l.b.int64([0, 0, 12])]);
    const out = l.b.node("Add", [l.b.node("MatMul", [merged, l.weights([12, 8])]), tokens]);
    return l.b.node("MatMul", [
      l.b.node("ReduceMean", [out], { axes: attr.ints([1]), keepdims: attr.int(0) }),
      l.weights([8, 3]),
    ]);
  }),

  network("constants computed from constants", (l, x) => {
    const y = l.convBnRelu(x, 3, 6);
    const slope = l.b.node("Unsqueeze", [l.weights([6]), l.b.int64([1, 2])]);
    const shift = l.b.node("Reshape", [l.weights([6]), l.b.int64([1, 6, 1, 1])]);
    return l.linearHead(l.b.node("Add", [l.b.node("PRelu", [l.b.node("Neg", [y]), slope]), shift]), 6);
  }),

  network(
    "U-Net",
    (l, x) => {
      const a = l.convBnRelu(x, 3, 5);
      const b = l.convBnRelu(
        l.b.node("MaxPool", [a], { kernel_shape: attr.ints([2, 2]), strides: attr.ints([2, 2]) }),
        5,
        7,
      );
      const up = l.b.node("ConvTranspose", [b, l.weights([7, 4, 2, 2]), l.weights([4])], {
        strides: attr.ints([2, 2]),
      });
      const joined = l.b.node(
        "Concat",
        [
          up,
          a,
          l.b.float32(
            Array.from({ length: 128 }, (_, i) => i / 64 - 1),
            [2, 1, 8, 8],
          ),
        ],
        { axis: attr.int(1) },
      );
      return l.conv(l.convBnRelu(joined, 10, 6), 6, 2, 1);
    },
    { inputDims: [2, 3, 8, 8] },
  ),

  network(
    "shortcut widened by zeros",
    (l, x) => {
      const stem = l.convBnRelu(x, 3, 4);
      const zeros = l.b.node("ConstantOfShape", [l.b.int64([2, 3, 8, 8])]);
      const left = l.bn(l.conv(l.convBnRelu(stem, 4, 5), 5, 7), 7);
      const wide = l.relu(l.b.node("Add", [left, l.b.node("Concat", [stem, zeros], { axis: attr.int(1) })]));
      // The same with a shape that follows the batch.
      const shape = l.b.node("Shape", [wide]);
      const part = (from: number, to: number) => l.b.node("Slice", [shape, l.b.int64([from]), l.b.int64([to])]);
      const wanted = l.b.node("Concat", [part(0, 1), l.b.int64([2]), part(2, 4)], { axis: attr.int(0) });
      const more = l.b.node("ConstantOfShape", [wanted], { value: attr.tensor(float32Tensor("", [1], [0.25])) });
      const again = l.b.node("Concat", [more, wide], { axis: attr.int(1) });
      return l.linearHead(l.b.node("Add", [again, l.bn(l.conv(l.convBnRelu(wide, 7, 4), 4, 9), 9)]), 9);
    },
    { inputDims: [2, 3, 8, 8] },
  ),

  network(
    "zeros too many to fold",
    (l, x) => {
      const stem = l.convBnRelu(x, 3, 4);
      const zeros = l.b.node("ConstantOfShape", [l.b.int64([1, 5, 32, 32])]);
      const left = l.bn(l.conv(l.convBnRelu(stem, 4, 5), 5, 9), 9);
      return l.linearHead(l.relu(l.b.node("Add", [left, l.b.node("Concat", [stem, zeros], { axis: attr.int(1) })])), 9);
    },
    { inputDims: [1, 3, 32, 32], dims: [1, 3, 32, 32] },
  ),
];
