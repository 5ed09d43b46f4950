/**
 * What a latency table has entries of: a layer under concrete widths, as the runtime executes it. A layer is a small
 * chain of ONNX nodes that the runtime fuses (convolution, batch norm, residual Add, activation) or any single node.
 *
 * A configuration says all that the latency depends on and nothing more: no names, no weights. Equal configurations
 * share one entry, over all layers and all networks.
 */
import { createHash } from "node:crypto";
import type { DataType } from "../graph/ir.js";

/**
 * How an activation lies in memory. "plain" is NCHW (and all that is not four-dimensional); "blocked" is the runtime's
 * NCHWc: channels in blocks of 8 or 16, padded to whole blocks.
 */
export type Layout = "plain" | "blocked";

export interface ConfigInput {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly layout: Layout;
  /** Axes whose extent the runtime does not know when it loads the model; only where it decides by them. */
  readonly open?: readonly number[];
  /** It comes from outside the network, so it is in no cache when the layer reads it. */
  readonly fed?: true;
}

export interface ConfigConstant {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  /** Given where the latency depends on them: shapes, axes, bounds, exponents. Left out for weights. */
  readonly values?: readonly number[];
  /** The model offers the constant as an input too, so the runtime may not rely on its value. */
  readonly overridable?: true;
}

/** Integers beyond 2^53 are decimal strings. */
export type ConfigAttribute =
  | readonly ["int", number | string]
  | readonly ["ints", readonly (number | string)[]]
  | readonly ["float", number]
  | readonly ["floats", readonly number[]]
  | readonly ["string", string]
  | readonly ["strings", readonly string[]]
  | readonly ["tensor", ConfigConstant];

export interface ConfigNode {
  readonly opType: string;
  readonly domain: string;
  readonly attributes: Readonly<Record<string, ConfigAttribute>>;
  /** "i0": input 0; "c0": constant 0; "n0": first output of node 0; "n0.1": its second; "": left out. */
  readonly inputs: readonly string[];
  /** Number of outputs that the node makes. */
  readonly outputs: number;
}

/** A value that the layer hands on. */
export interface ConfigResult {
  /** As in {@link ConfigNode.inputs}. */
  readonly value: string;
  readonly layout: Layout;
  /** It is an output of the network: in memory of its own, never in that of an input that nobody reads any more. */
  readonly leaves?: true;
}

export interface LayerConfig {
  /** Opset version of the default domain. */
  readonly opset: number;
  readonly inputs: readonly ConfigInput[];
  readonly constants: readonly ConfigConstant[];
  readonly nodes: readonly ConfigNode[];
  readonly results: readonly ConfigResult[];
}

/** Domain of the runtime's own nodes that change the layout; each is a layer of its own, with one node. */
export const layoutDomain = "com.microsoft.nchwc";

const shortTypes: Partial<Record<DataType, string>> = {
  float32: "f32",
  float64: "f64",
  float16: "f16",
  bfloat16: "bf16",
  int64: "i64",
  int32: "i32",
};

/** Attributes that say what holds anyway; dropped, so that two ways to write one layer share an entry. */
const idle: Readonly<Record<string, (a: ConfigAttribute) => boolean>> = {
  auto_pad: (a) => a[1] === "NOTSET",
  dilations: (a) => a[0] === "ints" && a[1].every((v) => v === 1),
  strides: (a) => a[0] === "ints" && a[1].every((v) => v === 1),
  pads: (a) => a[0] === "ints" && a[1].every((v) => v === 0),
  output_padding: (a) => a[0] === "ints" && a[1].every((v) => v === 0),
  group: (a) => a[1] === 1,
  ceil_mode: (a) => a[1] === 0,
  storage_order: (a) => a[1] === 0,
  count_include_pad: (a) => a[1] === 0,
  momentum: () => true,
  is_test: () => true,
  data_format: (a) => a[1] === "NCHW",
};
/** The weights' dims say it again. */
const kernelInWeights = new Set(["Conv", "ConvTranspose"]);

function attributeText(a: ConfigAttribute): string {
  switch (a[0]) {
    case "tensor":
      return constantText(a[1]);
    case "ints":
    case "floats":
    case "strings":
      return `[${a[1].join(",")}]`;
    default:
      return String(a[1]);
  }
}

function tensorText(t: { dtype: DataType; dims: readonly number[] }): string {
  return `${shortTypes[t.dtype] ?? t.dtype}[${t.dims.join(",")}]`;
}
function constantText(c: ConfigConstant): string {
  return `${tensorText(c)}${c.values ? `=${c.values.join(",")}` : ""}${c.overridable ? "!" : ""}`;
}
function inputText(i: ConfigInput): string {
  const open = i.open && i.open.length > 0 ? `?${i.open.join(",")}` : "";
  return `${tensorText(i)}${i.layout === "blocked" ? "b" : ""}${open}${i.fed ? "^" : ""}`;
}
function nodeText(n: ConfigNode): string {
  const attributes = Object.keys(n.attributes)
    .sort()
    .filter((k) => {
      const a = n.attributes[k];
      return a !== undefined && !idle[k]?.(a) && !(k === "kernel_shape" && kernelInWeights.has(n.opType));
    })
    .map((k) => `${k}=${attributeText(n.attributes[k] as ConfigAttribute)}`);
  const name = n.domain === "" ? n.opType : `${n.domain}.${n.opType}`;
  const outputs = n.outputs === 1 ? "" : `:${n.outputs}`;
  return `${name}(${n.inputs.join(",")})${attributes.length > 0 ? `{${attributes.join(",")}}` : ""}${outputs}`;
}

/**
 * The canonical text of a configuration, the key of its table entry:
 *
 *     opset | inputs | constants | nodes | results
 *     13|f32[64,16,32,32]b|f32[16,16,3,3] f32[16]|Conv(i0,c0,c1){pads=[1,1,1,1]} Relu(n0)|n1b
 *
 * A tensor is its type and dims; `b` marks the blocked layout, `?2,3` axes that the runtime does not know, `^` an
 * input or output of the network itself, `=1,2` values, `!` a constant that is also an input. Attributes are sorted by name; those that state a default are left out.
 */
export function layerKey(config: LayerConfig): string {
  return [
    config.opset,
    config.inputs.map(inputText).join(" "),
    config.constants.map(constantText).join(" "),
    config.nodes.map(nodeText).join(" "),
    config.results.map((r) => `${r.value}${r.layout === "blocked" ? "b" : ""}${r.leaves ? "^" : ""}`).join(" "),
  ].join("|");
}

/** Short, stable name of a key, for file names and messages. */
export function keyDigest(key: string): string {
  return createHash("sha256").update(key).digest("hex").slice(0, 16);
}
