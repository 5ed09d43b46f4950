/** Random nodes that lay out, select, hand on and make tensors. */
import { attr } from "../../src/graph/attributes.js";
import type { DataType } from "../../src/graph/ir.js";
import { broadcastable, type Draw, dtypeAttr, float32s, int64s, type RandomNode, some } from "./random-node.js";

type Make = (d: Draw) => RandomNode;

const reshape: Make = (d) => {
  const dims = d.dims(1, 4);
  const wanted = d.bool() ? dims.map((e, i) => (d.bool() ? 0 : i === 0 ? -1 : e)) : [d.of(1, 2), -1];
  if (wanted.length === 2 && dims.length !== 2) dims[0] = 2;
  return { opset: d.of(9, 13, 14, 26), inputs: [d.tensor(d.of("float32", "int64"), dims), int64s(...wanted)] };
};

const flatten: Make = (d) => {
  const dims = d.dims(1, 4);
  return { opset: 11, attributes: { axis: attr.int(d.int(-dims.length, dims.length)) }, inputs: [d.floats(dims)] };
};

const transpose: Make = (d) => {
  const dims = d.dims(1, 4);
  const perm = d.axes(dims.length, dims.length).map((a) => (a < 0 ? a + dims.length : a));
  return { opset: 13, attributes: some({ perm: d.bool() ? attr.ints(perm) : undefined }), inputs: [d.floats(dims)] };
};

const squeeze: Make = (d) => {
  const opset = d.of(9, 11, 13, 26);
  const dims = d.dims(1, 4, 2);
  const ones = [...dims.keys()].filter((i) => dims[i] === 1).map((i) => (opset > 9 && d.bool() ? i - dims.length : i));
  const axes = ones.length > 0 && d.bool() ? ones.slice(d.int(0, ones.length - 1)) : undefined;
  const attributes = some({ axes: axes && opset < 13 ? attr.ints(axes) : undefined });
  return { opset, attributes, inputs: [d.floats(dims), axes && opset >= 13 ? int64s(...axes) : undefined] };
};

const unsqueeze: Make = (d) => {
  const opset = d.of(9, 11, 13, 26);
  const dims = d.dims(0, 3);
  const count = d.int(1, 2);
  const drawn = d.axes(dims.length + count, count);
  const axes = opset === 9 ? drawn.map((a) => (a < 0 ? a + dims.length + count : a)) : drawn;
  return opset < 13
    ? { opset, attributes: { axes: attr.ints(axes) }, inputs: [d.tensor("int64", dims)] }
    : { opset, inputs: [d.tensor("int64", dims), int64s(...axes)] };
};

const depthToSpace: Make = (d) => {
  const b = d.int(1, 3);
  return {
    opset: d.of(9, 13, 26),
    attributes: { blocksize: attr.int(b) },
    inputs: [d.floats([d.int(1, 2), b * b * d.int(1, 2), d.int(1, 3), d.int(1, 3)])],
  };
};
const spaceToDepth: Make = (d) => {
  const b = d.int(1, 3);
  return {
    opset: d.of(9, 13, 26),
    attributes: { blocksize: attr.int(b) },
    inputs: [d.floats([d.int(1, 2), d.int(1, 2), b * d.int(1, 3), b * d.int(1, 3)])],
  };
};

const concat: Make = (d) => {
  const dims = d.dims(1, 3);
  const axis = d.axis(dims.length);
  const dtype = d.of<DataType>("float32", "int64", "bool");
  const at = axis < 0 ? axis + dims.length : axis;
  return {
    opset: d.of(11, 13, 26),
    attributes: { axis: attr.int(axis) },
    inputs: d.ints(d.int(1, 3), 0, 3).map((extent) => d.tensor(dtype, dims.with(at, extent), 0, 1)),
  };
};

const split: Make = (d) => {
  const opset = d.of(9, 11, 13, 18, 26);
  const parts = d.ints(d.int(1, 3), 1, 3);
  const dims = d.dims(1, 3);
  const axis = opset === 9 ? d.int(0, dims.length - 1) : d.axis(dims.length);
  const equal = d.bool();
  const total = equal ? parts.length * 2 - (opset >= 18 ? d.int(0, 1) : 0) : parts.reduce((a, b) => a + b, 0);
  const attributes = some({
    axis: attr.int(axis),
    split: !equal && opset < 13 ? attr.ints(parts) : undefined,
    num_outputs: equal && opset >= 18 ? attr.int(parts.length) : undefined,
  });
  const x = d.tensor(d.of("float32", "int64"), dims.with(axis < 0 ? axis + dims.length : axis, total));
  return {
    opset,
    attributes,
    inputs: [x, !equal && opset >= 13 ? int64s(...parts) : undefined],
    outputs: parts.length,
  };
};

const slice: Make = (d) => {
  const opset = d.of(9, 10, 13, 26);
  const dims = d.dims(1, 4, 6);
  const axes = d.axes(dims.length, d.int(1, dims.length)).map((a) => (opset === 9 && a < 0 ? a + dims.length : a));
  const far = 2 ** 31 - 1;
  const starts = axes.map(() => d.of(d.int(-7, 7), d.int(0, 3), -far));
  const steps = axes.map(() => (opset < 10 ? 1 : d.of(1, 1, 2, 3, -1, -2)));
  // Far to the right, going left, is an empty slice to ONNX and "to the end" to its runtime.
  const ends = steps.map((step) => d.of(d.int(-7, 7), d.int(1, 7), step > 0 ? far : -far));
  const x = d.tensor(d.of("float32", "int64"), dims);
  if (opset === 9)
    return {
      opset,
      attributes: { starts: attr.ints(starts), ends: attr.ints(ends), axes: attr.ints(axes) },
      inputs: [x],
    };
  return {
    opset,
    inputs: [
      x,
      int64s(...starts),
      int64s(...ends),
      int64s(...axes),
      steps.some((step) => step !== 1) || d.bool() ? int64s(...steps) : undefined,
    ],
  };
};

const gather: Make = (d) => {
  const dims = d.dims(1, 3);
  const axis = d.axis(dims.length);
  const extent = dims.at(axis) as number;
  const indices = d.tensor(d.of("int64", "int32"), d.dims(0, 2, 3), -extent, extent - 1);
  return {
    opset: d.of(11, 13, 26),
    attributes: { axis: attr.int(axis) },
    inputs: [d.tensor(d.of("float32", "int64"), dims), indices],
  };
};

const gatherElements: Make = (d) => {
  const dims = d.dims(1, 3);
  const indices = d.tensor(
    "int64",
    dims.map((e) => d.int(1, e)),
    0,
    0,
  );
  return { opset: 13, attributes: { axis: attr.int(d.axis(dims.length)) }, inputs: [d.floats(dims), indices] };
};

const gatherNd: Make = (d) => {
  const dims = d.dims(1, 4);
  const batch = d.int(0, dims.length - 1);
  const depth = d.int(1, dims.length - batch);
  const indices = d.tensor("int64", [...dims.slice(0, batch), ...d.dims(0, 2), depth], 0, 0);
  return { opset: 13, attributes: { batch_dims: attr.int(batch) }, inputs: [d.floats(dims), indices] };
};

const pad: Make = (d) => {
  const opset = d.of(9, 11, 13, 18, 26);
  const dims = d.dims(1, 4);
  const axes = opset >= 18 && d.bool() ? d.axes(dims.length, d.int(1, dims.length)) : undefined;
  const pads = d.ints(2 * (axes ?? dims).length, 0, 2);
  if (opset === 9) return { opset, attributes: { pads: attr.ints(pads) }, inputs: [d.floats(dims)] };
  return { opset, inputs: [d.floats(dims), int64s(...pads), undefined, axes && int64s(...axes)] };
};

const tile: Make = (d) => {
  const dims = d.dims(1, 3);
  return { opset: 13, inputs: [d.tensor("int64", dims), int64s(...dims.map(() => d.int(0, 3)))] };
};

const expand: Make = (d) => {
  const [own = [], wanted = []] = broadcastable(d, 2);
  return { opset: 13, inputs: [d.tensor("int64", own), int64s(...wanted)] };
};

const scatterNd: Make = (d) => {
  const dims = d.dims(1, 3);
  return { opset: 13, inputs: [d.floats(dims), d.tensor("int64", [1, dims.length], 0, 0), d.floats([1])] };
};

const scatterElements: Make = (d) => {
  const dims = d.dims(1, 3);
  return {
    opset: 13,
    inputs: [
      d.floats(dims),
      d.tensor(
        "int64",
        dims.map(() => 1),
        0,
        0,
      ),
      d.floats(dims.map(() => 1)),
    ],
  };
};

const topK: Make = (d) => {
  const opset = d.of(9, 10, 11, 26);
  const dims = d.dims(1, 3);
  const axis = opset < 11 ? d.int(0, dims.length - 1) : d.axis(dims.length);
  const k = d.int(1, dims.at(axis) as number);
  const attributes = some({ axis: attr.int(axis), k: opset === 9 ? attr.int(k) : undefined });
  return { opset, attributes, inputs: [d.floats(dims), opset > 9 ? int64s(k) : undefined], outputs: 2 };
};

const oneHot: Make = (d) => {
  const dims = d.dims(1, 3);
  return {
    opset: 11,
    attributes: { axis: attr.int(d.axis(dims.length + 1)) },
    inputs: [d.tensor("int64", dims, 0, 2), int64s(3), float32s(0, 1)],
  };
};

const dropout: Make = (d) => ({
  opset: d.of(9, 10, 12, 13, 26),
  inputs: [d.floats(d.dims(1, 3))],
  outputs: d.int(1, 2),
});

const cast: Make = (d) => {
  const types = ["float32", "float64", "int64", "int32", "bool", "uint8"] as const;
  return {
    opset: d.of(9, 13, 26),
    attributes: { to: dtypeAttr(d.of(...types)) },
    inputs: [d.tensor(d.of(...types), d.dims(0, 3), 0, 1)],
  };
};
const castLike: Make = (d) => ({
  opset: 15,
  inputs: [d.tensor(d.of("float32", "int64"), d.dims(0, 3)), d.tensor(d.of("float32", "int32", "bool"), [1], 0, 1)],
});

const shapeOf: Make = (d) => {
  const opset = d.of(9, 13, 15, 26);
  const ends = some({
    start: opset >= 15 && d.bool() ? attr.int(d.int(-6, 6)) : undefined,
    end: opset >= 15 && d.bool() ? attr.int(d.int(-6, 6)) : undefined,
  });
  return { opset, attributes: ends, inputs: [d.floats(d.dims(0, 4))] };
};

const constant: Make = (d) => ({
  opset: 12,
  attributes: d.of<() => RandomNode["attributes"] & object>(
    () => ({ value: attr.tensor(d.tensor(d.of("float32", "int64", "bool"), d.dims(0, 3), 0, 1)) }),
    () => ({ value_int: attr.int(d.int(-9, 9)) }),
    () => ({ value_ints: attr.ints(d.ints(d.int(0, 3), -9, 9)) }),
    () => ({ value_float: attr.float(d.int(-9, 9)) }),
    () => ({ value_floats: attr.floats(d.ints(d.int(1, 3), -9, 9)) }),
  )(),
  inputs: [],
});

const constantOfShape: Make = (d) => ({
  opset: 9,
  attributes: some({
    value: d.bool() ? attr.tensor(d.tensor(d.of("float32", "int64", "bool"), [1], 0, 1)) : undefined,
  }),
  inputs: [int64s(...d.ints(d.int(0, 3), 0, 3))],
});

const range: Make = (d) => {
  const dtype = d.of<DataType>("int64", "int32", "float32");
  const step = d.of(1, 2, 3, -1, -2);
  const at = (v: number) => d.tensor(dtype, [], v, v);
  return { opset: 11, inputs: [at(d.int(-5, 5)), at(d.int(-9, 9)), at(step)] };
};

const eyeLike: Make = (d) => ({
  opset: 9,
  attributes: some({ dtype: d.bool() ? dtypeAttr(d.of("int64", "float64")) : undefined }),
  inputs: [d.floats(d.ints(2, 1, 4))],
});

export const layoutNodes: Readonly<Record<string, Make>> = {
  Reshape: reshape,
  Flatten: flatten,
  Transpose: transpose,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Concat: concat,
  Split: split,
  Slice: slice,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  Pad: pad,
  Tile: tile,
  Expand: expand,
  ScatterND: scatterNd,
  ScatterElements: scatterElements,
  Trilu: (d) => ({ opset: 14, inputs: [d.floats(d.dims(2, 3))] }),
  TopK: topK,
  OneHot: oneHot,
  Identity: (d) => ({ opset: d.of(9, 13, 26), inputs: [d.floats(d.dims(0, 3))] }),
  Dropout: dropout,
  Cast: cast,
  CastLike: castLike,
  Shape: shapeOf,
  Size: (d) => ({ opset: 9, inputs: [d.floats(d.dims(0, 3))] }),
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Range: range,
  EyeLike: eyeLike,
};
