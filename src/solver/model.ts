import { HalpError } from "../errors.js";
import { chooseScale, largestMagnitude, toGrid } from "./quantise.js";
import type { Problem } from "./types.js";

/** The summed tables of two variables a < b, row-major over a's options, on the grid. NaN weight: forbidden pair. */
export interface PairTable {
  readonly a: number;
  readonly b: number;
  readonly weight: Float64Array;
  readonly value: Float64Array | null;
}

/**
 * A problem as numbers: factors over the same variables summed, every entry an integer on the grid. Weight is the latency,
 * NaN where forbidden.
 */
export interface Model {
  readonly names: readonly string[];
  readonly values: readonly Float64Array[];
  readonly weights: readonly Float64Array[];
  readonly pairs: readonly PairTable[];
  /** Grid numbers per unit of value and of latency; the quanta are their inverses. */
  readonly valueScale: number;
  readonly weightScale: number;
  /** No total value (latency) of any choice is larger in magnitude, in grid numbers. */
  readonly valueTotal: number;
  readonly weightTotal: number;
  /** The number of rounded latencies in a sum. */
  readonly terms: number;
}

/** Numbers, NaN where null. A loop: typed arrays' `from` and `map` with a function cost ten times as much. */
function numbersOf(row: readonly (number | null)[], into: Float64Array, start: number): void {
  for (let i = 0; i < row.length; i++) {
    const x = row[i]!;
    into[start + i] = x === null ? Number.NaN : x;
  }
}

function flatten(table: readonly (number | null)[] | readonly (readonly (number | null)[])[]): Float64Array {
  if (!Array.isArray(table[0])) {
    const flat = new Float64Array(table.length);
    numbersOf(table as readonly (number | null)[], flat, 0);
    return flat;
  }
  const rows = table as readonly (readonly (number | null)[])[];
  const columns = rows[0]!.length;
  const flat = new Float64Array(rows.length * columns);
  for (let i = 0; i < rows.length; i++) numbersOf(rows[i]!, flat, i * columns);
  return flat;
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

function transpose(table: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(table.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = table[i * columns + j]!;
  return out;
}

function onto(table: Float64Array, scale: number): Float64Array {
  const out = new Float64Array(table.length);
  for (let i = 0; i < table.length; i++) out[i] = toGrid(table[i]!, scale);
  return out;
}

function addInto(sum: Float64Array, table: Float64Array, scale: number): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += toGrid(table[i]!, scale);
}

/** Half of the largest double: rounding to the grid may carry a sum up. */
const largestSum = 2 ** 1023;

function checkSum(sum: number, what: string): void {
  if (sum < largestSum) return;
  throw new HalpError(
    "HALP_PROBLEM_NUMBER",
    `the ${what} are so large that their sum may overflow a double; give them in a larger unit`,
  );
}

/**
 * The scale on which all of a problem's latencies lie.
 * @throws HalpError HALP_PROBLEM_NUMBER if sums may overflow
 */
export function latencyScale(problem: Problem): number {
  const tables = problem.factors.map((f) => flatten(f.latency));
  const sum = sumOf(tables.map(largestMagnitude));
  checkSum(sum, "latencies");
  return chooseScale(tables, sum);
}

/**
 * Turns a checked problem of one device into numbers on a grid.
 * @param latencyScale where the grid of the latencies is given
 * @throws HalpError HALP_PROBLEM_NUMBER if sums may overflow
 */
export function buildModel(problem: Problem, latencyScale?: number): Model {
  const index = new Map(problem.variables.map((v, i) => [v.name, i]));
  const ownValues = problem.variables.map((v) => flatten(v.values));
  const factors = problem.factors.map((f) => ({
    over: f.variables.map((name) => index.get(name)!),
    latency: flatten(f.latency),
    value: f.value === undefined ? null : flatten(f.value),
  }));
  const valueTables = [...ownValues, ...factors.flatMap((f) => (f.value === null ? [] : [f.value]))];
  const latencyTables = factors.map((f) => f.latency);
  const valueSum = sumOf(valueTables.map(largestMagnitude));
  const latencySum = sumOf(latencyTables.map(largestMagnitude));
  checkSum(valueSum, "values");
  checkSum(latencySum, "latencies");
  const valueScale = chooseScale(valueTables, valueSum);
  const weightScale = latencyScale ?? chooseScale(latencyTables, latencySum);

  const values = ownValues.map((v) => onto(v, valueScale));
  const weights = ownValues.map((v) => new Float64Array(v.length));
  const pairs = new Map<string, { a: number; b: number; weight: Float64Array; value: Float64Array | null }>();
  for (const factor of factors) {
    const [first, second] = factor.over as [number, number?];
    if (second === undefined) {
      addInto(weights[first]!, factor.latency, weightScale);
      if (factor.value !== null) addInto(values[first]!, factor.value, valueScale);
      continue;
    }
    const a = Math.min(first, second);
    const b = Math.max(first, second);
    const rows = values[first]!.length;
    const columns = values[second]!.length;
    const turn = (table: Float64Array): Float64Array => (a === first ? table : transpose(table, rows, columns));
    const key = `${a} ${b}`;
    let pair = pairs.get(key);
    if (pair === undefined) {
      pair = { a, b, weight: new Float64Array(rows * columns), value: null };
      pairs.set(key, pair);
    }
    addInto(pair.weight, turn(factor.latency), weightScale);
    if (factor.value !== null) {
      pair.value ??= new Float64Array(rows * columns);
      addInto(pair.value, turn(factor.value), valueScale);
    }
  }
  return {
    names: problem.variables.map((v) => v.name),
    values,
    weights,
    pairs: [...pairs.values()],
    valueScale,
    weightScale,
    valueTotal: valueSum * valueScale + valueTables.length,
    weightTotal: latencySum * weightScale + latencyTables.length,
    terms: latencyTables.length,
  };
}
