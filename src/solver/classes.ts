import type { Model } from "./model.js";

/**
 * A multiple-choice knapsack: from each class exactly one item is taken. Items of class l are offset[l] .. offset[l + 1] - 1.
 * Values and weights are grid integers (see quantise.ts), of any sign.
 */
export interface Classes {
  readonly count: number;
  readonly offset: Int32Array;
  readonly value: Float64Array;
  readonly weight: Float64Array;
  /** The option of the variable that each item stands for; forbidden options have no item. */
  readonly option: Int32Array;
  /** No sum of one value per class is larger in magnitude. */
  readonly valueTotal: number;
}

/** The classes of a model without pair tables. A class may come out empty: then every choice is forbidden. */
export function classesOf(model: Model): Classes {
  const count = model.names.length;
  const offset = new Int32Array(count + 1);
  const total = model.values.reduce((n, v) => n + v.length, 0);
  const value = new Float64Array(total);
  const weight = new Float64Array(total);
  const option = new Int32Array(total);
  let n = 0;
  for (let l = 0; l < count; l++) {
    const v = model.values[l]!;
    const w = model.weights[l]!;
    for (let i = 0; i < v.length; i++) {
      if (Number.isNaN(w[i]!)) continue;
      value[n] = v[i]!;
      weight[n] = w[i]!;
      option[n] = i;
      n++;
    }
    offset[l + 1] = n;
  }
  return {
    count,
    offset,
    value: value.subarray(0, n),
    weight: weight.subarray(0, n),
    option: option.subarray(0, n),
    valueTotal: model.valueTotal,
  };
}

/** Whether some variable has every option forbidden. */
export function hasEmptyClass(classes: Classes): boolean {
  for (let l = 0; l < classes.count; l++) if (classes.offset[l] === classes.offset[l + 1]) return true;
  return false;
}
