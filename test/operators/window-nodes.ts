/** Random convolutions, pools and resamplings. */
import { attr } from "../../src/graph/attributes.js";
import { type Draw, float32s, int64s, type RandomNode, some } from "./random-node.js";

type Make = (d: Draw) => RandomNode;

function sliding(d: Draw, spatial: number, kernel: readonly number[], options: { dilations: boolean; ceil: boolean }) {
  const mode = d.of("NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID");
  return {
    strides: d.bool() ? attr.ints(d.ints(spatial, 1, 3)) : undefined,
    dilations: options.dilations && d.bool() ? attr.ints(d.ints(spatial, 1, 2)) : undefined,
    auto_pad: mode === "NOTSET" ? undefined : attr.string(mode),
    pads:
      mode === "NOTSET" && d.bool()
        ? attr.ints([...kernel, ...kernel].map((k) => d.int(0, Math.max(0, k - 1))))
        : undefined,
    ceil_mode: options.ceil ? attr.int(d.int(0, 1)) : undefined,
  };
}

const conv: Make = (d) => {
  const spatial = d.int(1, 3);
  const groups = d.int(1, 3);
  const [n, inner, outer] = [d.int(1, 2), d.int(1, 2), d.int(1, 2)];
  const kernel = d.ints(spatial, 1, 3);
  const weight = d.floats([outer * groups, inner, ...kernel]);
  const attributes = some({
    ...sliding(d, spatial, kernel, { dilations: true, ceil: false }),
    group: groups > 1 ? attr.int(groups) : undefined,
    kernel_shape: d.bool() ? attr.ints(kernel) : undefined,
  });
  const x = d.floats([n, inner * groups, ...d.ints(spatial, 3, 9)]);
  return {
    opset: d.of(9, 11, 22, 26),
    attributes,
    inputs: [x, weight, d.bool() ? d.floats([outer * groups]) : undefined],
  };
};

const convTranspose: Make = (d) => {
  const spatial = d.int(1, 2);
  const groups = d.int(1, 2);
  const [n, inner, outer] = [d.int(1, 2), d.int(1, 2), d.int(1, 2)];
  const kernel = d.ints(spatial, 1, 4);
  const space = d.ints(spatial, 2, 6);
  const strides = d.ints(spatial, 1, 3);
  const dilations = d.ints(spatial, 1, 2);
  const form = d.of("pads", "pads", "output_shape", "auto_pad");
  const attributes = some({
    strides: attr.ints(strides),
    dilations: attr.ints(dilations),
    group: attr.int(groups),
    pads: form === "pads" ? attr.ints(d.ints(2 * spatial, 0, 1)) : undefined,
    output_padding: form === "pads" && d.bool() ? attr.ints(strides.map((s) => d.int(0, s - 1))) : undefined,
    output_shape:
      form === "output_shape"
        ? attr.ints(space.map((e, i) => (e - 1) * (strides[i] as number) + 1 + d.int(0, 2)))
        : undefined,
    auto_pad: form === "auto_pad" ? attr.string(d.of("SAME_UPPER", "SAME_LOWER", "VALID")) : undefined,
  });
  const inputs = [d.floats([n, inner * groups, ...space]), d.floats([inner * groups, outer, ...kernel])];
  return { opset: d.of(9, 11, 22, 26), attributes, inputs };
};

function pool(opsets: readonly number[], ceilFrom: number, dilationsFrom: number, outputs = 1): Make {
  return (d) => {
    const opset = d.of(...opsets);
    const spatial = d.int(1, 3);
    const kernel = d.ints(spatial, 1, 3);
    const attributes = some({
      ...sliding(d, spatial, kernel, { dilations: opset >= dilationsFrom, ceil: opset >= ceilFrom }),
      kernel_shape: attr.ints(kernel),
    });
    return {
      opset,
      attributes,
      inputs: [d.floats([1, d.int(1, 2), ...d.ints(spatial, 5, 9)])],
      outputs: d.int(1, outputs),
    };
  };
}

const globalPool =
  (...opsets: readonly number[]): Make =>
  (d) => ({ opset: d.of(...opsets), inputs: [d.floats([...d.ints(2, 1, 3), ...d.dims(1, 3)])] });

const resize: Make = (d) => {
  const opset = d.of(10, 11, 13, 18, 19, 26);
  const dims = [1, d.int(1, 2), d.int(1, 9), d.int(1, 9)];
  const scales = [1, 1, d.of(0.5, 1, 2, 1.7, 0.3), d.of(0.5, 1, 2, 1.3, 2.6)];
  const sizes = [1, dims[1] as number, d.int(1, 12), d.int(1, 12)];
  const mode = { mode: attr.string(d.of("nearest", "linear")) };
  const x = d.floats(dims);
  if (opset === 10) return { opset, attributes: mode, inputs: [x, float32s(...scales)] };
  const roi = d.bool() ? float32s() : undefined;
  const last = opset >= 18 && d.bool();
  const cut = <T>(list: readonly T[]) => (last ? list.slice(2) : list);
  const policy = opset >= 18 && d.bool() ? d.of("not_larger", "not_smaller", "stretch") : undefined;
  const attributes = { ...mode, ...(last ? { axes: attr.ints([2, 3]) } : {}) };
  if (d.bool()) return { opset, attributes, inputs: [x, roi, float32s(...cut(scales))] };
  const withPolicy = some({
    ...attributes,
    keep_aspect_ratio_policy: last && policy ? attr.string(policy) : undefined,
  });
  return { opset, attributes: withPolicy, inputs: [x, roi, d.bool() ? float32s() : undefined, int64s(...cut(sizes))] };
};

const upsample: Make = (d) => {
  const scales = [1, 1, d.of(1, 2, 1.5), d.of(1, 2.7, 3)];
  const x = d.floats([1, 2, d.int(1, 6), d.int(1, 6)]);
  return d.bool()
    ? { opset: 8, attributes: { scales: attr.floats(scales) }, inputs: [x] }
    : { opset: 9, inputs: [x, float32s(...scales)] };
};

export const windowNodes: Readonly<Record<string, Make>> = {
  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: pool([8, 10, 12, 22, 26], 10, 10, 2),
  AveragePool: pool([9, 10, 11, 19, 22, 26], 10, 19),
  LpPool: pool([9, 11, 18, 22, 26], 18, 18),
  GlobalAveragePool: globalPool(9, 22, 26),
  GlobalMaxPool: globalPool(9, 22, 26),
  // The runtime has no kernel for its newest form.
  GlobalLpPool: globalPool(9, 21),
  Resize: resize,
  Upsample: upsample,
};
