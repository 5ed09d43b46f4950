/** What input channels of one value each come to behind a convolution: sums of weights, taken over the taps that lie inside. */
import { intAttr } from "../../graph/attributes.js";
import { float32Of, sizeOf } from "../../graph/tensors.js";
import type { AbsorbRule } from "../spec.js";
import { slidingWindow, spreadingWindow, type Window } from "../window.js";

/** For each tap of the kernel along one axis: the share of output positions at which it meets the input. */
function sharesAlong(window: Window, axis: number, extent: number, transposed: boolean): number[] {
  const stride = window.strides[axis] as number;
  const dilation = window.dilations[axis] as number;
  const before = window.before[axis] as number;
  const output = window.output[axis] as number;
  // A convolution steps over the output and looks into the input; a transposed one steps over the input and adds to the output.
  const [steps, room] = transposed ? [extent, output] : [output, extent];
  return Array.from({ length: window.kernel[axis] as number }, (_, tap) => {
    let met = 0;
    for (let p = 0; p < steps; p++) {
      const at = p * stride - before + tap * dilation;
      if (at >= 0 && at < room) met++;
    }
    return met / output;
  });
}

/** The same for the whole kernel, flat. */
function sharesOf(window: Window, extents: readonly number[], transposed: boolean): Float64Array {
  let shares = Float64Array.of(1);
  for (const axis of window.kernel.keys()) {
    const along = sharesAlong(window, axis, extents[axis] as number, transposed);
    const next = new Float64Array(shares.length * along.length);
    shares.forEach((share, i) => {
      for (const [j, s] of along.entries()) next[i * along.length + j] = share * s;
    });
    shares = next;
  }
  return shares;
}

function convolution(transposed: boolean): AbsorbRule {
  return ({ node, type, constant }) => {
    const [x = "", w = ""] = node.inputs;
    const dims = type(x)?.dims;
    const weight = constant(w);
    if (!dims || weight?.dtype !== "float32") return undefined;
    const [, channels = 0, ...space] = dims;
    const [first = 0, second = 0, ...kernel] = weight.dims;
    const groups = intAttr(node, "group", 1);
    const outputs = transposed ? second * groups : first;
    const window = transposed ? spreadingWindow(node, space, kernel) : slidingWindow(node, space, kernel);
    const shares = sharesOf(window, space, transposed);
    const taps = sizeOf(kernel);
    const perGroup = { inputs: channels / groups, outputs: outputs / groups };
    let sums: Float64Array | undefined;
    /** Weighted sum over the taps for each pair of channels that the weight holds, in its order. */
    const tapSums = () => {
      const data = float32Of(weight);
      return Float64Array.from({ length: first * second }, (_, pair) => {
        let sum = 0;
        for (let t = 0; t < taps; t++) sum += (data[pair * taps + t] as number) * (shares[t] as number);
        return sum;
      });
    };
    return {
      inputAxis: 1,
      outputAxis: 1,
      bias: { slot: 2, factor: 1 },
      uniform: transposed ? taps === 1 && shares[0] === 1 : shares.every((s) => s === 1),
      added(values) {
        sums ??= tapSums();
        const added = new Float64Array(outputs);
        for (let i = 0; i < channels; i++) {
          const value = values[i] as number;
          if (value === 0) continue;
          const group = Math.floor(i / perGroup.inputs);
          for (let j = 0; j < perGroup.outputs; j++) {
            const o = group * perGroup.outputs + j;
            const pair = transposed ? i * perGroup.outputs + j : o * perGroup.inputs + (i % perGroup.inputs);
            added[o] = (added[o] as number) + value * (sums[pair] as number);
          }
        }
        return added;
      },
    };
  };
}

export const absorptions: Readonly<Record<string, AbsorbRule>> = {
  Conv: convolution(false),
  ConvTranspose: convolution(true),
};
