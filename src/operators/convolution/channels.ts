/** Channels through convolutions: inputs are summed over, outputs are born; grouped ones tie both together. */
import { intAttr } from "../../graph/attributes.js";
import type { AxisLabels, ChannelContext, ChannelRule } from "../spec.js";

/**
 * A grouped convolution works on blocks, and every block must keep as many inputs and as many outputs as the others.
 * Two ways keep it so: whole blocks go (depthwise: block of one), or the same places go in every block. Taken is the
 * one that leaves more channels to choose from.
 */
function goesByBlocks(groups: number, inputsPerBlock: number, outputsPerBlock: number): boolean {
  return groups >= inputsPerBlock + outputsPerBlock || inputsPerBlock === 1;
}

function tieBlocks(c: ChannelContext, labels: AxisLabels, perBlock: number): Int32Array | null {
  if (!labels) return null;
  const groups = labels.length / perBlock;
  const first = new Int32Array(groups);
  for (let g = 0; g < groups; g++) {
    const block = labels.subarray(g * perBlock, (g + 1) * perBlock);
    for (let j = 1; j < perBlock; j++) c.join(block.subarray(0, 1), block.subarray(j, j + 1));
    first[g] = block[0] as number;
  }
  return first;
}

function tiePlaces(c: ChannelContext, labels: AxisLabels, perBlock: number): AxisLabels {
  if (!labels) return null;
  const first = labels.subarray(0, perBlock);
  for (let at = perBlock; at < labels.length; at += perBlock) c.join(first, labels.subarray(at, at + perBlock));
  return first;
}

function repeatEach(labels: Int32Array, times: number): Int32Array {
  const out = new Int32Array(labels.length * times);
  labels.forEach((l, i) => {
    out.fill(l, i * times, (i + 1) * times);
  });
  return out;
}

function tile(labels: Int32Array, times: number): Int32Array {
  const out = new Int32Array(labels.length * times);
  for (let t = 0; t < times; t++) out.set(labels, t * labels.length);
  return out;
}

/** `inputAxis`: axis of the weight that runs over the inputs of a block (Conv 1, ConvTranspose 0 over all inputs). */
function convolution(transposed: boolean): ChannelRule {
  return (c) => {
    const [x = "", w = "", b = ""] = c.node.inputs;
    const [y = ""] = c.node.outputs;
    const weight = c.type(w)?.dims ?? [];
    const inputs = c.labels(x, 1);
    const groups = intAttr(c.node, "group", 1);
    const outputAxis = transposed ? 1 : 0;
    const inputAxis = transposed ? 0 : 1;
    for (let axis = 2; axis < (c.type(x)?.dims.length ?? 0); axis++)
      c.freeze(c.labels(x, axis), "is convolved along as if it were space");
    c.setLabels(y, 0, c.labels(x, 0));
    if (!c.constant(w)) {
      c.freeze(inputs, "meets a convolution whose weights are computed at run time");
      for (const axis of [0, 1]) c.freeze(c.labels(w, axis), "serves as the weights of a convolution");
      return;
    }
    const inputCount = c.type(x)?.dims[1] ?? 0;
    const inputsPerBlock = inputCount / groups;
    const outputsPerBlock = transposed ? (weight[1] ?? 0) : (weight[0] ?? 0) / groups;
    let outputs: AxisLabels;
    if (groups === 1) {
      c.setLabels(w, inputAxis, inputs);
      c.consumes(inputs);
      outputs = c.labels(w, outputAxis) ?? c.fresh(outputsPerBlock);
      c.setLabels(w, outputAxis, outputs);
    } else if (inputs && goesByBlocks(groups, inputsPerBlock, outputsPerBlock)) {
      const blocks = tieBlocks(c, inputs, inputsPerBlock);
      outputs = blocks && repeatEach(blocks, outputsPerBlock);
      if (transposed) c.setLabels(w, 0, inputs);
      else c.setLabels(w, 0, outputs);
    } else if (inputs === null && inputsPerBlock === 1 && outputsPerBlock === 1) {
      outputs = null; // depthwise on fixed channels: each output hangs on an input that must stay
    } else {
      const places = tiePlaces(c, inputs, inputsPerBlock);
      c.consumes(inputs);
      const born = c.fresh(outputsPerBlock);
      outputs = tile(born, groups);
      if (transposed) {
        c.setLabels(w, 0, inputs);
        c.setLabels(w, 1, born);
      } else {
        c.setLabels(w, 1, places);
        c.setLabels(w, 0, outputs);
      }
    }
    if (b !== "") c.setLabels(b, 0, outputs);
    c.setLabels(y, 1, outputs);
    c.produces(outputs);
  };
}

export const channels: Readonly<Record<string, ChannelRule>> = {
  Conv: convolution(false),
  ConvTranspose: convolution(true),
};
