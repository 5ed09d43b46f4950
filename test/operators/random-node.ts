/** Random nodes of one operator: attributes, operands and opset drawn by fast-check. */
import fc, { type GeneratorValue } from "fast-check";
import { attr } from "../../src/graph/attributes.js";
import type { Attribute, DataType, Tensor } from "../../src/graph/ir.js";
import { dataTypeCode, sizeOf } from "../../src/graph/tensors.js";
import { tensorOf } from "../../src/operators/elements.js";

export interface RandomNode {
  readonly opset: number;
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** Undefined: left out. */
  readonly inputs: readonly (Tensor | undefined)[];
  /** Number of outputs; 1 unless given. */
  readonly outputs?: number;
}

/** Draws of the choices that make a node. */
export interface Draw {
  int(min: number, max: number): number;
  ints(count: number, min: number, max: number): number[];
  bool(): boolean;
  of<T>(...choices: readonly T[]): T;
  /** Distinct axes of a rank, each from the front or the back, in any order. */
  axes(rank: number, count: number): number[];
  axis(rank: number): number;
  dims(minRank: number, maxRank: number, largest?: number): number[];
  floats(dims: readonly number[]): Tensor;
  tensor(dtype: DataType, dims: readonly number[], min?: number, max?: number): Tensor;
}

export function drawing(g: GeneratorValue): Draw {
  const int = (min: number, max: number) => g(fc.integer, { min, max });
  const ints = (count: number, min: number, max: number) => Array.from({ length: count }, () => int(min, max));
  const draw: Draw = {
    int,
    ints,
    bool: () => g(fc.boolean),
    of: (...choices) => choices[int(0, choices.length - 1)] as (typeof choices)[number],
    axes: (rank, count) => {
      const left = Array.from({ length: rank }, (_, i) => i);
      return Array.from({ length: count }, () => {
        const axis = left.splice(int(0, left.length - 1), 1)[0] as number;
        return draw.bool() ? axis : axis - rank;
      });
    },
    axis: (rank) => int(-rank, rank - 1),
    dims: (minRank, maxRank, largest = 4) => ints(int(minRank, maxRank), 1, largest),
    floats: (dims) => draw.tensor("float32", dims),
    tensor: (dtype, dims, min = -9, max = 9) => {
      // Values follow from one seed: drawing each would only make shrinking slow.
      let state = int(1, 2 ** 20);
      const values = Array.from({ length: sizeOf(dims) }, () => {
        state = (state * 16807) % 2147483647;
        const v = min + (state % (max - min + 1));
        return dtype.startsWith("float") ? v + 0.25 * (state % 4) : v;
      });
      const made = tensorOf(dtype, dims, values);
      if (!made) throw new Error(`no ${dtype} of ${min} to ${max}`);
      return made;
    },
  };
  return draw;
}

export const int64s = (...values: readonly number[]): Tensor => {
  const made = tensorOf("int64", [values.length], values);
  if (!made) throw new Error("not integers");
  return made;
};
export const float32s = (...values: readonly number[]): Tensor => {
  const made = tensorOf("float32", [values.length], values);
  if (!made) throw new Error("not numbers");
  return made;
};

/** Attributes without those that are undefined. */
export function some(attributes: Readonly<Record<string, Attribute | undefined>>): Record<string, Attribute> {
  return Object.fromEntries(Object.entries(attributes).filter((e): e is [string, Attribute] => e[1] !== undefined));
}

export const dtypeAttr = (dtype: Exclude<DataType, "other">) => attr.int(dataTypeCode[dtype]);

/** Shapes that broadcast to one another. */
export function broadcastable(d: Draw, count: number): number[][] {
  const whole = d.dims(0, 4, 3);
  return Array.from({ length: count }, () =>
    whole.slice(d.int(0, whole.length)).map((extent) => (d.bool() ? extent : 1)),
  );
}
