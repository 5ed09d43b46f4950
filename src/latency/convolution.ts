/**
 * Tables that hold convolutions alone: those measured through the addon (cuDNN), and those imported from other tools. A
 * layer of a network is brought to the form in which such a table has it; layers without a convolution are not in them,
 * and count nothing.
 */
import type { ConfigAttribute, ConfigConstant, ConfigInput, ConfigNode, LayerConfig } from "./config.js";
import type { TableDevice } from "./device.js";

/** A convolution over height and width; padding is the same on both sides, what was asked for beyond that is in the input. */
export interface ConvShape {
  readonly batch: number;
  readonly inChannels: number;
  readonly inHeight: number;
  readonly inWidth: number;
  readonly outChannels: number;
  readonly kernel: readonly [height: number, width: number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;
  readonly bias: boolean;
  readonly residual: boolean;
  readonly relu: boolean;
}

export interface Convolution {
  readonly shape: ConvShape;
  /** Height and width of the layer's input, before any padding. */
  readonly extent: readonly [number, number];
  /** Operators of the layer that a convolution with bias, residual and ReLU does not do. */
  readonly besides: readonly string[];
}

/** Operators that become part of weights and bias when the network is loaded. */
const folded = new Set(["BatchNormalization", "Mul", "Add"]);

/** The convolution that a layer is built around; undefined where there is none (or one not over height and width). */
export function convolutionOf(config: LayerConfig): Convolution | undefined {
  const at = config.nodes.findIndex((n) => n.domain === "" && n.opType === "Conv");
  const conv = config.nodes[at];
  if (!conv) return undefined;
  const pad = at === 1 && config.nodes[0]?.opType === "Pad" ? config.nodes[0] : undefined;
  const dims = inputOf(config, (pad ?? conv).inputs[0])?.dims;
  const weights = constantOf(config, conv.inputs[1])?.dims;
  if (dims?.length !== 4 || weights?.length !== 4 || at > (pad ? 1 : 0)) return undefined;
  const [batch = 0, inChannels = 0, inHeight = 0, inWidth = 0] = dims;
  const [outChannels = 0, , kernelHeight = 0, kernelWidth = 0] = weights;
  const kernel = [kernelHeight, kernelWidth] as const;
  const stride = pairOf(conv.attributes.strides, 1);
  const dilation = pairOf(conv.attributes.dilations, 1);
  const pads = [0, 1].map((axis) => {
    const [before, after] = padsOf(config, conv, pad, axis, [inHeight, inWidth][axis] ?? 0, kernel, stride, dilation);
    return { least: Math.min(before, after), more: Math.abs(before - after) };
  });
  let bias = (conv.inputs[2] ?? "") !== "";
  let residual = false;
  let relu = false;
  const besides: string[] = [];
  for (const node of config.nodes.slice(at + 1)) {
    const isResidual = node.opType === "Add" && node.inputs.some((i) => i.startsWith("i"));
    if (relu || besides.length > 0) besides.push(node.opType);
    else if (isResidual) residual = true;
    else if (node.opType === "Relu") relu = true;
    else if (folded.has(node.opType)) bias ||= node.opType !== "Mul";
    else besides.push(node.opType);
  }
  const shape: ConvShape = {
    batch,
    inChannels,
    inHeight: inHeight + (pads[0]?.more ?? 0),
    inWidth: inWidth + (pads[1]?.more ?? 0),
    outChannels,
    kernel,
    stride,
    padding: [pads[0]?.least ?? 0, pads[1]?.least ?? 0],
    dilation,
    groups: Number(conv.attributes.group?.[1] ?? 1),
    bias,
    residual,
    relu,
  };
  return { shape, extent: [inHeight, inWidth], besides };
}

/** The layer of a convolution alone, in the one form that tables of convolutions have. */
export function convConfig(shape: ConvShape): LayerConfig {
  const { batch, inChannels, inHeight, inWidth, outChannels, kernel, stride, padding, dilation, groups } = shape;
  const extent = (size: number, a: 0 | 1): number =>
    Math.floor((size + 2 * padding[a] - dilation[a] * (kernel[a] - 1) - 1) / stride[a]) + 1;
  const plain = (dims: readonly number[]): ConfigInput => ({ dtype: "float32", dims, layout: "plain" });
  const constants: ConfigConstant[] = [
    { dtype: "float32", dims: [outChannels, inChannels / groups, ...kernel] },
    ...(shape.bias ? [{ dtype: "float32", dims: [outChannels] } as const] : []),
  ];
  const nodes: ConfigNode[] = [
    {
      opType: "Conv",
      domain: "",
      attributes: {
        strides: ["ints", stride],
        pads: ["ints", [...padding, ...padding]],
        dilations: ["ints", dilation],
        group: ["int", groups],
      },
      inputs: shape.bias ? ["i0", "c0", "c1"] : ["i0", "c0"],
      outputs: 1,
    },
  ];
  const follow = (opType: string, more: readonly string[]): void => {
    const inputs = [`n${nodes.length - 1}`, ...more];
    nodes.push({ opType, domain: "", attributes: {}, inputs, outputs: 1 });
  };
  if (shape.residual) follow("Add", ["i1"]);
  if (shape.relu) follow("Relu", []);
  return {
    opset: 13,
    inputs: [
      plain([batch, inChannels, inHeight, inWidth]),
      ...(shape.residual ? [plain([batch, outChannels, extent(inHeight, 0), extent(inWidth, 1)])] : []),
    ],
    constants,
    nodes,
    results: [{ value: `n${nodes.length - 1}`, layout: "plain" }],
  };
}

/**
 * What a table of this device has in place of a layer: the layer itself, its convolution in the table's form, or nothing
 * where the table counts convolutions alone and this is none.
 */
export function countedAs(device: TableDevice, config: LayerConfig): LayerConfig | undefined {
  if (!countsConvolutionsOnly(device)) return config;
  const found = convolutionOf(config);
  if (!found || device.clock === "cuda-events") return found && convConfig(found.shape);
  const { shape, extent } = found;
  return convConfig(keyedShape({ ...shape, inHeight: extent[0], inWidth: extent[1] }));
}

/** Another tool's key knows of no bias, activation or padding; kernels are taken as padded by half their size. */
export function keyedShape(shape: ConvShape): ConvShape {
  const padding = [shape.kernel[0] >> 1, shape.kernel[1] >> 1] as const;
  return { ...shape, padding, bias: false, residual: false, relu: false };
}

/**
 * A key of an imported table in the form of the HALP paper, batch_cin_cout_fmap_k_stride_groups; the key itself where it
 * has no such form (an extent or kernel that is not square).
 */
export function paperKey(key: string): string {
  const layer = /^13\|f32\[(\d+),(\d+),(\d+),(\d+)\]\|f32\[(\d+),\d+,(\d+),(\d+)\]\|Conv\(i0,c0\)(\{\S*\})?\|n0$/.exec(
    key,
  );
  const [, batch, inChannels, height, width, outChannels, kernelHeight, kernelWidth, attributes = ""] = layer ?? [];
  const [, strideHeight = "1", strideWidth = "1"] = /strides=\[(\d+),(\d+)\]/.exec(attributes) ?? [];
  const square = height === width && kernelHeight === kernelWidth && strideHeight === strideWidth;
  if (!layer || !square || attributes.includes("dilations")) return key;
  const groups = /group=(\d+)/.exec(attributes)?.[1] ?? "1";
  return [batch, inChannels, outChannels, height, kernelHeight, strideHeight, groups].join("_");
}

export function countsConvolutionsOnly(device: TableDevice): boolean {
  return device.clock === "cuda-events" || device.clock === "imported";
}

/** Operators of layers that a table of this device leaves out of its sums, with how often each does so. */
export function notCounted(device: TableDevice, configs: Iterable<LayerConfig>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  if (!countsConvolutionsOnly(device)) return counts;
  for (const config of configs)
    for (const op of convolutionOf(config)?.besides ?? config.nodes.map((n) => n.opType))
      counts.set(op, (counts.get(op) ?? 0) + 1);
  return counts;
}

function inputOf(config: LayerConfig, ref: string | undefined): ConfigInput | undefined {
  return ref?.startsWith("i") ? config.inputs[Number(ref.slice(1))] : undefined;
}
function constantOf(config: LayerConfig, ref: string | undefined): ConfigConstant | undefined {
  return ref?.startsWith("c") ? config.constants[Number(ref.slice(1))] : undefined;
}

function pairOf(a: ConfigAttribute | undefined, otherwise: number): readonly [number, number] {
  const [first = otherwise, second = otherwise] = a?.[0] === "ints" ? a[1].map(Number) : [];
  return [first, second];
}

/** Padding before and after along height (0) or width (1), that of a Pad node included. */
function padsOf(
  config: LayerConfig,
  conv: ConfigNode,
  pad: ConfigNode | undefined,
  axis: number,
  size: number,
  kernel: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
): [number, number] {
  const constant = constantOf(config, pad?.inputs[1])?.values;
  const attribute = pad?.attributes.pads;
  const outer = constant ?? (attribute?.[0] === "ints" ? attribute[1].map(Number) : []);
  const [first, last] = [outer[2 + axis] ?? 0, outer[6 + axis] ?? 0];
  const automatic = conv.attributes.auto_pad?.[1];
  if (automatic === "SAME_UPPER" || automatic === "SAME_LOWER") {
    const padded = size + first + last;
    const [k = 1, s = 1, d = 1] = [kernel[axis], stride[axis], dilation[axis]];
    const total = Math.max(0, (Math.ceil(padded / s) - 1) * s + (k - 1) * d + 1 - padded);
    const less = total >> 1;
    return automatic === "SAME_UPPER" ? [first + less, last + total - less] : [first + total - less, last + less];
  }
  const pads = conv.attributes.pads;
  const own = pads?.[0] === "ints" ? pads[1].map(Number) : [];
  return [first + (own[axis] ?? 0), last + (own[2 + axis] ?? 0)];
}
