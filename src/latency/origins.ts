/**
 * Whether the runtime can tell that two blocked activations have the same extents, although it does not know the extents
 * themselves. It follows where an extent comes from: convolutions and pools that keep or halve it hand it on, all else
 * begins anew (ONNX Runtime, NCHWc transformer). Where it cannot tell, it adds in a roundabout way.
 */
import { intsAttr, stringAttr } from "../graph/attributes.js";
import type { Node } from "../graph/ir.js";
import type { Layouts } from "./layout.js";
import type { Network, Segment } from "./network.js";

/** Names the extent of a blocked value along an axis: equal names, equal extents. */
export class Origins {
  readonly #network: Network;
  readonly #layouts: Layouts;
  readonly #known = new Map<string, string>();

  constructor(network: Network, layouts: Layouts) {
    this.#network = network;
    this.#layouts = layouts;
  }

  of(value: string, axis: number): string {
    const key = `${axis}|${value}`;
    let origin = this.#known.get(key);
    if (origin === undefined) {
      origin = this.#find(value, axis);
      this.#known.set(key, origin);
    }
    return origin;
  }

  /** Origin of what a convolution makes, before anything is added to it. */
  ofConv(conv: Node, axis: number): string {
    const fresh = conv.outputs[0] ?? "";
    const x = this.#layouts.canonical(conv.inputs[0] ?? "");
    const kernel = this.#layouts.dims(conv.inputs[1] ?? "").slice(2);
    // A plain input has no origin that the runtime follows.
    return this.#layouts.made(x) === "blocked" && this.#layouts.readsBlocked(conv)
      ? this.#through(conv, x, kernel, axis, fresh)
      : fresh;
  }

  #find(value: string, axis: number): string {
    const segment = this.#network.producerOf.get(value);
    if (!segment || this.#layouts.made(value) !== "blocked") return value;
    const lead = leadOf(segment);
    const x = this.#layouts.canonical(lead.inputs[0] ?? "");
    switch (lead.opType) {
      case "Conv":
        return this.ofConv(lead, axis);
      case "MaxPool":
      case "AveragePool":
        return this.#layouts.made(x) === "blocked"
          ? this.#through(lead, x, intsAttr(lead, "kernel_shape") ?? [], axis, value)
          : value;
      case "Concat":
      case "Resize":
      case "Upsample":
      case "GlobalMaxPool":
      case "GlobalAveragePool":
        return axis === 0 ? this.of(x, 0) : value;
      default: {
        const first = segment.inputs.find((i) => this.#layouts.made(i) === "blocked");
        return first === undefined ? value : this.of(first, axis);
      }
    }
  }

  /** Through a window: the batch stays; height and width where stride and padding keep or halve them. */
  #through(node: Node, x: string, kernel: readonly number[], axis: number, fresh: string): string {
    if (axis === 0) return this.of(x, 0);
    const at = axis - 2;
    const pads = intsAttr(node, "pads") ?? [0, 0, 0, 0];
    const automatic = stringAttr(node, "auto_pad", "NOTSET");
    const even = automatic === "SAME_UPPER" || automatic === "SAME_LOWER";
    const total = (pads[at] ?? 0) + (pads[at + 2] ?? 0);
    const dilation = intsAttr(node, "dilations")?.[at] ?? 1;
    const stride = intsAttr(node, "strides")?.[at] ?? 1;
    if (dilation !== 1 || (!even && total !== (kernel[at] ?? 1) - 1) || stride > 2) return fresh;
    return `${this.of(x, axis)}${stride === 2 ? ">" : ""}`;
  }
}

/** The node of a segment that decides about its layout: a Pad before a convolution becomes part of it. */
export function leadOf(segment: Segment): Node {
  const [first, second] = segment.nodes;
  return (first?.opType === "Pad" && second !== undefined ? second : first) as Node;
}
