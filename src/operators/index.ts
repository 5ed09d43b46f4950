/** All operators that halp knows. */
import { normalDomain } from "../graph/ir.js";
import { activation } from "./activation/index.js";
import { arithmetic } from "./arithmetic/index.js";
import { convolution } from "./convolution/index.js";
import { layout } from "./layout/index.js";
import { linear } from "./linear/index.js";
import { normalization } from "./normalization/index.js";
import { passthrough } from "./passthrough/index.js";
import { pooling } from "./pooling/index.js";
import { quantization } from "./quantization/index.js";
import { reduction } from "./reduction/index.js";
import { resampling } from "./resampling/index.js";
import { selection } from "./selection/index.js";
import { shapeArithmetic } from "./shape-arithmetic/index.js";
import { softmax } from "./softmax/index.js";
import type { OperatorSpec } from "./spec.js";

const all: readonly OperatorSpec[] = [
  ...activation,
  ...arithmetic,
  ...convolution,
  ...layout,
  ...linear,
  ...normalization,
  ...passthrough,
  ...pooling,
  ...quantization,
  ...reduction,
  ...resampling,
  ...selection,
  ...shapeArithmetic,
  ...softmax,
];
const key = (opType: string, domain: string) => `${normalDomain(domain)}:${opType}`;
const byKey = new Map(all.map((spec) => [key(spec.opType, spec.domain ?? ""), spec]));

/** What halp knows of an operator; undefined where it does not know it. */
export function findOperator(opType: string, domain: string): OperatorSpec | undefined {
  return byKey.get(key(opType, domain));
}

export { type KnownOperator, operatorTable } from "./operator-table.js";

export function allOperators(): readonly OperatorSpec[] {
  return all;
}
