/** Ways to compute a convolution whose weights are not known before the run. */
import { intAttr } from "../../graph/attributes.js";
import { sizeOf } from "../../graph/tensors.js";
import { convolutionAttributes, convolveInBlocks, fitsBlocks } from "../blocks.js";
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

/**
 * A convolution of `inputs` x, w and, where there is one, a bias. ONNX Runtime rearranges constant weights once for its
 * fastest kernels; of weights that are fed it does not know that it may, and the blocked form does it in each run.
 * @param block channels of a block on this machine
 */
export function convolutionTask(geometry: Geometry, inputs: FormTask["inputs"], block: number | undefined): FormTask {
  const { dilations, groups, kernel, pads, strides } = geometry;
  const attributes = convolutionAttributes(kernel, groups, { strides, dilations, pads });
  const [x, w] = inputs;
  const weight = w?.dims ?? [];
  const fits =
    kernel.length === 2 && fitsBlocks(groups, weight) && pads.every((p) => p >= 0) && sizeOf(x?.dims ?? []) > 0;
  return {
    key: `Conv pads=${pads} strides=${strides} dilations=${dilations} group=${groups}`,
    inputs,
    // What comes from blocks and goes to blocks need not be rearranged.
    shares: { blocks: 0.8 },
    forms: {
      plain: (e, names) => e.op("Conv", names, attributes),
      ...(fits && block !== undefined
        ? { blocks: (e, names) => convolveInBlocks(e, names, weight, block, attributes, groups > 1) }
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
