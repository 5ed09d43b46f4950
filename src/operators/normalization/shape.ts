/** Shapes of normalisations: the input's, and those of the statistics some hand out. */
import type { ValueType } from "../../graph/analysis.js";
import { intAttr } from "../../graph/attributes.js";
import { dataTypeOf } from "../../graph/tensors.js";
import { normalAxis, sameAsFirst, shapeError, showDims } from "../inference.js";
import type { ShapeRule } from "../spec.js";

const batchNormalization: ShapeRule = ({ node, inputs: [x, ...parameters] }) => {
  if (!x) return undefined;
  const channels = x.dims[1] ?? 1;
  for (const p of parameters)
    if (p && p.dims.join() !== `${channels}`)
      throw shapeError(
        node,
        `expected parameters of [${channels}] for an input of ${showDims(x.dims)}, came ${showDims(p.dims)}`,
      );
  const statistic: ValueType = { dtype: parameters[3]?.dtype ?? x.dtype, dims: [channels] };
  return node.outputs.map((_, i) => (i === 0 ? x : statistic));
};

const layerNormalization: ShapeRule = ({ node, inputs: [x] }) => {
  if (!x) return undefined;
  const axis = normalAxis(node, intAttr(node, "axis", -1), x.dims.length);
  const statistic: ValueType = {
    dtype: dataTypeOf(intAttr(node, "stash_type", 1)),
    dims: x.dims.map((d, i) => (i < axis ? d : 1)),
  };
  return node.outputs.map((_, i) => (i === 0 ? x : statistic));
};

export const shapes: Readonly<Record<string, ShapeRule>> = {
  BatchNormalization: batchNormalization,
  InstanceNormalization: sameAsFirst,
  LayerNormalization: layerNormalization,
  GroupNormalization: sameAsFirst,
  LRN: sameAsFirst,
  LpNormalization: sameAsFirst,
  MeanVarianceNormalization: sameAsFirst,
};
