/** Ways to compute a convolution whose weights are not known before the run. */
import { attr, intAttr } from "../../graph/attributes.js";
import type { Attribute } from "../../graph/ir.js";
import { sizeOf } from "../../graph/tensors.js";
import type { Emit } from "../emit.js";
import type { FormsContext, FormTask } from "../spec.js";
import { slidingWindow } from "../window.js";

/** Geometry of a two-dimensional convolution: padding before, then after. */
interface Geometry {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
  readonly groups: number;
}

/** Operators of ONNX Runtime's blocked layout, which it uses itself where weights are constant. */
export const blocked = "com.microsoft.nchwc";
/**
 * A convolution of `inputs` x, w and, where there is one, a bias. ONNX Runtime rearranges constant weights once for its
 * fastest kernels; of weights that are fed it does not know that it may, and the blocked form does it in each run.
 * @param block channels of a block on this machine. With any other number the runtime's kernels fail, or end the process.
 */
export function convolutionTask(geometry: Geometry, inputs: FormTask["inputs"], block: number | undefined): FormTask {
  const { dilations, groups, kernel, pads, strides } = geometry;
  const attributes = {
    kernel_shape: attr.ints(kernel),
    strides: attr.ints(strides),
    dilations: attr.ints(dilations),
    pads: attr.ints(pads),
    group: attr.int(groups),
  };
  const [x, w] = inputs;
  const fits = kernel.length === 2 && groups === 1 && pads.every((p) => p >= 0) && sizeOf(x?.dims ?? []) > 0;
  return {
    key: `Conv pads=${pads} strides=${strides} dilations=${dilations} group=${groups}`,
    inputs,
    forms: {
      plain: (e, names) => e.op("Conv", names, attributes),
      ...(fits && block !== undefined
        ? { blocks: (e, names) => convolveInBlocks(e, names, w?.dims ?? [], block, attributes) }
        : {}),
    },
  };
}

function convolveInBlocks(
  e: Emit,
  [x = "", w = "", bias]: readonly string[],
  [outputs = 1, inputs = 1, ...kernel]: readonly number[],
  block: number,
  attributes: Readonly<Record<string, Attribute>>,
): string {
  const up = (n: number) => Math.ceil(n / block) * block;
  const [o, i] = [up(outputs), up(inputs)];
  const padded = e.pad(w, [0, 0, 0, 0], [o - outputs, i - inputs, 0, 0]);
  // [o, i, h, w] as [o / block, i / block, h, w, i in its block, o in its block].
  const split = e.reshape(padded, [o / block, block, i / block, block, ...kernel]);
  const weights = e.reshape(e.transpose(split, [0, 2, 4, 5, 3, 1]), [o, i, ...kernel]);
  const more = bias === undefined ? [] : [e.pad(bias, [0], [o - outputs])];
  const y = e.op("Conv", [toBlocks(e, x, inputs), weights, ...more], attributes, blocked);
  return e.op("ReorderOutput", [y], { channels: attr.int(outputs) }, blocked);
}

/** Images of so many channels, in blocks. */
export function toBlocks(e: Emit, x: string, channels: number): string {
  // The operator takes whole fours only, and fills them up to whole blocks itself.
  const missing = (4 - (channels % 4)) % 4;
  return e.builder.sharedNode("ReorderInput", e.pad(x, [0, 0, 0, 0], [0, missing, 0, 0]), blocked);
}

/** Of a Conv of the network itself. Undefined where its weights are constant: the runtime knows better then. */
export function convForms({ blockSize, node, type, constant }: FormsContext): FormTask | undefined {
  const [x = "", w = ""] = node.inputs;
  const named = node.inputs.filter((name) => name !== "");
  const types = named.map(type);
  if (constant(w) || types.some((t) => t?.dtype !== "float32")) return undefined;
  const [, , ...large] = type(x)?.dims ?? [];
  const window = slidingWindow(node, large, (type(w)?.dims ?? []).slice(2));
  return convolutionTask(
    {
      kernel: window.kernel,
      strides: window.strides,
      dilations: window.dilations,
      pads: [...window.before, ...window.after],
      groups: intAttr(node, "group", 1),
    },
    named.map((value, i) => ({ value, dims: types[i]?.dims ?? [] })),
    blockSize,
  );
}
