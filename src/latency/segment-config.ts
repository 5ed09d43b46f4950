/** From a segment and widths to configurations: the keys to look up in a table. */
import { intAttr, intsAttr } from "../graph/attributes.js";
import { type Attribute, type Node, normalDomain, type Tensor } from "../graph/ir.js";
import { elementBytes, float32Of, integersOf, sizeOf } from "../graph/tensors.js";
import {
  type ConfigAttribute,
  type ConfigConstant,
  type ConfigInput,
  type ConfigNode,
  type LayerConfig,
  type Layout,
  layoutDomain,
} from "./config.js";
import { groupsOf, Layouts, type Widths } from "./layout.js";
import type { Network, Segment } from "./network.js";

/** A float constant of at most this many elements may steer the operator (bounds, scales); its values count. */
const steering = new Set(["Clip", "Resize", "Upsample", "Pad", "Range", "Slice", "Pow"]);
const steeringSize = 16;
/** Here even a single float is a weight that happens to be alone. */
const weighted = new Set(["Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "PRelu", "Gather"]);
/** Integer constants beyond this size are data (embedding indices), not shapes. */
const shapeSize = 1024;

/**
 * The configurations whose latencies add up to what a segment costs under the given widths: the segment itself, and a
 * change of layout where those who read its outputs want them otherwise than it makes them.
 *
 * `dimsOf` may know more values than the segment's own: the layout of its inputs depends on the layers before it, that of
 * its outputs on those behind. What it leaves undefined stays as the network is.
 *
 * Empty for segments that cannot be measured, see {@link Segment.unmeasurable}, and for network inputs read as they are.
 */
export function segmentConfigs(
  segment: Segment,
  dimsOf: (value: string) => readonly number[] | undefined,
  nodeOf?: (node: Node) => Node,
): readonly LayerConfig[] {
  return configsUnder(segment, new Layouts(segment.network, { dimsOf, nodeOf }));
}

/** As {@link segmentConfigs}, for all segments under the same widths. */
export function networkLayers(
  network: Network,
  widths: Widths,
): readonly { readonly segment: Segment; readonly configs: readonly LayerConfig[] }[] {
  const layouts = new Layouts(network, widths);
  return network.segments.map((segment) => ({ segment, configs: configsUnder(segment, layouts) }));
}

/** The configurations of {@link networkLayers}, one after another. */
export function networkConfigs(network: Network, widths: Widths): readonly LayerConfig[] {
  return networkLayers(network, widths).flatMap(({ configs }) => configs);
}

function configsUnder(segment: Segment, layouts: Layouts): readonly LayerConfig[] {
  const configs: LayerConfig[] = [];
  if (segment.nodes.length > 0 && !segment.unmeasurable) configs.push(ownConfig(segment, layouts));
  for (const value of segment.outputs) {
    const change = layoutChange(value, segment, layouts);
    if (change) configs.push(change);
  }
  return configs;
}

/** The node that brings a value into the other layout, where somebody wants it. */
function layoutChange(value: string, segment: Segment, layouts: Layouts): LayerConfig | undefined {
  const dims = layouts.dims(value);
  if (dims.length !== 4 || segment.unmeasurable) return undefined;
  const made = layouts.made(value);
  const other: Layout = made === "plain" ? "blocked" : "plain";
  if (!layouts.wanted(value).has(other)) return undefined;
  const opType = made === "plain" ? "ReorderInput" : "ReorderOutput";
  return {
    opset: 0,
    inputs: [{ dtype: "float32", dims, layout: made }],
    constants: [],
    nodes: [{ opType, domain: layoutDomain, attributes: {}, inputs: ["i0"], outputs: 1 }],
    results: [{ value: "n0", layout: other }],
  };
}

function ownConfig(segment: Segment, layouts: Layouts): LayerConfig {
  const { network } = segment;
  const { analyzed } = network;
  const plan = layouts.plan(segment);
  const inputs: ConfigInput[] = [];
  const constants: ConfigConstant[] = [];
  const refs = new Map<string, string>();
  const openHere = layouts.openAxes(segment);

  const refOf = (node: Node, ni: number, i: number): string => {
    const name = node.inputs[i] ?? "";
    if (name === "") return "";
    const value = layouts.canonical(name);
    const constant = analyzed.constants.get(value);
    const layout = plan.reads.get(`${ni}:${i}`) ?? "plain";
    const key = constant ? `${value}|${ni}:${i}` : `${value}|${layout}`;
    const known = refs.get(value) ?? refs.get(key);
    if (known !== undefined) return known;
    if (constant) {
      constants.push(constantConfig(node, i, constant, layouts, network));
      refs.set(key, `c${constants.length - 1}`);
      return `c${constants.length - 1}`;
    }
    const dims = layouts.dims(value);
    const open = dims.length === 4 ? openHere.filter((a) => a === 0 || dims[a] !== 1) : [];
    inputs.push({
      dtype: analyzed.types.get(value)?.dtype ?? "float32",
      dims,
      layout,
      ...(open.length > 0 ? { open } : {}),
      ...(analyzed.inputDims.has(value) ? { fed: true as const } : {}),
    });
    refs.set(key, `i${inputs.length - 1}`);
    return `i${inputs.length - 1}`;
  };

  const nodes: ConfigNode[] = segment.nodes.map((original, ni) => {
    const node = layouts.node(original);
    const read = node.inputs.map((_, i) => refOf(node, ni, i));
    while (read.at(-1) === "") read.pop();
    let outputs = node.outputs.length;
    while (outputs > 1 && node.outputs[outputs - 1] === "") outputs--;
    node.outputs.forEach((o, i) => {
      if (o !== "") refs.set(o, i === 0 ? `n${ni}` : `n${ni}.${i}`);
    });
    return {
      opType: node.opType,
      domain: normalDomain(node.domain),
      attributes: attributesOf(node, layouts),
      inputs: read,
      outputs,
    };
  });
  const results = segment.outputs.map((o) => {
    const layout = plan.makes.get(o) ?? "plain";
    // In blocks it is not the output itself: the change of layout behind makes that.
    const leaves = layout === "plain" && network.results.has(o) ? { leaves: true as const } : {};
    return { value: refs.get(o) ?? "", layout, ...leaves };
  });
  return { opset: analyzed.opset, inputs, constants, nodes, results };
}

function constantConfig(node: Node, slot: number, t: Tensor, layouts: Layouts, network: Network): ConfigConstant {
  const overridable = network.overridable.has(t.name) || network.overridable.has(node.inputs[slot] ?? "");
  const flag = overridable ? { overridable: true as const } : {};
  const dims = layouts.dims(node.inputs[slot] ?? t.name);
  const size = sizeOf(t.dims);
  if (t.dtype === "float32") {
    const counts = (size === 1 && !weighted.has(node.opType)) || (steering.has(node.opType) && size <= steeringSize);
    return counts ? { dtype: t.dtype, dims, values: [...float32Of(t)], ...flag } : { dtype: t.dtype, dims, ...flag };
  }
  const integral = elementBytes[t.dtype] > 0 && !t.dtype.includes("float");
  if (!integral || size > shapeSize) return { dtype: t.dtype, dims, ...flag };
  const values = adaptedValues(node, slot, integersOf(t), layouts);
  const own = values.length === sizeOf(dims) ? dims : [values.length];
  return { dtype: t.dtype, dims: own, values, ...flag };
}

/** Shapes that constants speak of, under other widths. */
function adaptedValues(node: Node, slot: number, values: number[], layouts: Layouts): number[] {
  const output = layouts.dims(node.outputs[0] ?? "");
  const input = layouts.dims(layouts.canonical(node.inputs[0] ?? ""));
  switch (`${node.opType}:${slot}`) {
    case "Reshape:1":
    case "Expand:1":
    case "Resize:3":
      return output.length === values.length ? [...output] : values;
    case "Split:1":
      return node.outputs.map((o) => layouts.dims(o)[axisOf(node, 0, input.length)] ?? 0);
    case "Pad:1":
      return adaptedPads(values, input, output);
    case "Slice:2": {
      const axes = constantInts(node, 3, layouts) ?? values.map((_, i) => i);
      const steps = constantInts(node, 4, layouts) ?? values.map(() => 1);
      const starts = constantInts(node, 1, layouts) ?? values.map(() => 0);
      return values.map((end, i) => {
        const axis = ((axes[i] ?? 0) + input.length) % input.length;
        const [step, start] = [steps[i] ?? 1, starts[i] ?? 0];
        if (step < 1 || start < 0 || end < 0) return end;
        const last = Math.min(end, input[axis] ?? 0);
        // A slice of channels, where some are gone: as many as are left, from where they are left.
        return Math.ceil((last - start) / step) === output[axis] ? last : start + (output[axis] ?? 0) * step;
      });
    }
    default:
      return values;
  }
}

function adaptedPads(pads: readonly number[], input: readonly number[], output: readonly number[]): number[] {
  const rank = input.length;
  if (pads.length !== 2 * rank) return [...pads];
  const adapted = [...pads];
  for (let a = 0; a < rank; a++) {
    const total = (output[a] ?? 0) - (input[a] ?? 0);
    const before = Math.min(pads[a] ?? 0, Math.max(total, 0));
    adapted[a] = total >= 0 ? before : (pads[a] ?? 0);
    adapted[rank + a] = total >= 0 ? total - before : total - (pads[a] ?? 0);
  }
  return adapted;
}

function constantInts(node: Node, slot: number, layouts: Layouts): number[] | undefined {
  const name = node.inputs[slot];
  const t = name ? layouts.constant(name) : undefined;
  return t ? integersOf(t) : undefined;
}

function axisOf(node: Node, otherwise: number, rank: number): number {
  const axis = intAttr(node, "axis", otherwise);
  return axis < 0 ? axis + rank : axis;
}

function attributesOf(node: Node, layouts: Layouts): Record<string, ConfigAttribute> {
  const attributes: Record<string, ConfigAttribute> = {};
  for (const [name, a] of node.attributes) {
    const value = attributeConfig(a);
    if (value) attributes[name] = value;
  }
  const input = layouts.dims(layouts.canonical(node.inputs[0] ?? ""));
  const output = layouts.dims(node.outputs[0] ?? "");
  const weights = layouts.dims(node.inputs[1] ?? "");
  if (node.opType === "Conv" && attributes.group) attributes.group = ["int", groupsOf(input, weights)];
  if (node.opType === "ConvTranspose" && attributes.group) attributes.group = ["int", groupsOf(output, weights)];
  if (node.opType === "Split" && attributes.split) {
    const axis = axisOf(node, 0, input.length);
    attributes.split = ["ints", node.outputs.map((o) => layouts.dims(o)[axis] ?? 0)];
  }
  const pads = node.opType === "Pad" ? intsAttr(node, "pads") : undefined;
  if (pads) attributes.pads = ["ints", adaptedPads(pads, input, output)];
  return attributes;
}

function attributeConfig(a: Attribute): ConfigAttribute | undefined {
  const whole = (v: bigint): number | string => (Number.isSafeInteger(Number(v)) ? Number(v) : String(v));
  const text = (v: Uint8Array): string => new TextDecoder().decode(v);
  switch (a.kind) {
    case "int":
      return ["int", whole(a.value)];
    case "ints":
      return ["ints", a.value.map(whole)];
    case "float":
      return ["float", a.value];
    case "floats":
      return ["floats", a.value];
    case "string":
      return ["string", text(a.value)];
    case "strings":
      return ["strings", a.value.map(text)];
    case "tensor": {
      const t = a.value;
      const small = sizeOf(t.dims) <= steeringSize && elementBytes[t.dtype] > 0;
      const values = !small
        ? undefined
        : t.dtype === "float32"
          ? [...float32Of(t)]
          : t.dtype.includes("float")
            ? undefined
            : integersOf(t);
      return ["tensor", { dtype: t.dtype, dims: t.dims, ...(values ? { values } : {}) }];
    }
    default:
      return undefined;
  }
}
