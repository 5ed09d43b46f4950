/** Ways to compute a convolution whose weights are not known before the run. */
import { intAttr } from "../../graph/attributes.js";
import { sizeOf } from "../../graph/tensors.js";
import { type Channels, convolutionAttributes, convolveToBlocks, fitsBlocks, fromBlocks } from "../blocks.js";
import type { FormInput, Forms, FormsContext, FormTask } from "../spec.js";
import { slidingWindow } from "../window.js";

/** Geometry of a two-dimensional convolution: padding before, then after. */
interface Geometry {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
  readonly groups: number;
}

/**
 * A convolution of `inputs` x, w and, where there is one, a bias. ONNX Runtime rearranges constant weights once for its
 * fastest kernels; of weights that are fed it does not know that it may, and the blocked form does it in each run.
 * @param block channels of a block on this machine
 */
export function convolutionTask(geometry: Geometry, inputs: readonly FormInput[], block: number | undefined): FormTask {
  const { dilations, groups, kernel, pads, strides } = geometry;
  const attributes = convolutionAttributes(kernel, groups, { strides, dilations, pads });
  const [x, w] = inputs;
  const weight = w?.dims ?? [];
  const [outputs = 1, channels = 1] = weight;
  const byBlocks = (block: number, channels: Channels): Forms[string] => {
    return (e, names) => fromBlocks(e, convolveToBlocks(e, names, weight, block, attributes, channels), outputs);
  };
  const fits =
    kernel.length === 2 && fitsBlocks(groups, weight) && pads.every((p) => p >= 0) && sizeOf(x?.dims ?? []) > 0;
  return {
    key: `Conv pads=${pads} strides=${strides} dilations=${dilations} group=${groups}`,
    inputs: inputs.map((input, i) => (i === 0 ? { ...input, isImages: kernel.length === 2 } : input)),
    ...(kernel.length === 2 ? { images: outputs } : {}),
    forms: {
      plain: (e, names) => e.op("Conv", names, attributes),
      ...(fits && block !== undefined ? { blocks: byBlocks(block, groups > 1 ? "each" : "all") } : {}),
      ...(fits && block !== undefined && groups === 1 && channels < block
        ? { "to blocks": byBlocks(block, "few") }
        : {}),
    },
  };
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
