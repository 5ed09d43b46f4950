/**
 * Sums of doubles depend on their order; sums of integers held in doubles do not, as long as they stay below 2^53. So every
 * number is put on an integer grid before solving: x becomes round(x * scale), and 1 / scale is the quantum.
 *
 * Numbers that are integers or decimals of up to nine places keep their exact meaning (scale = 10^k). All others are
 * rounded on a binary grid that is finer than the largest possible total by 2^44.
 */

/** Totals of integers and decimals stay exact up to here. */
const integerTotal = 2 ** 52;
const decimalTotal = 2 ** 46;
const binaryBits = 44;
const maxDecimals = 9;

/**
 * Chooses the scale for a set of tables.
 * @param tables the numbers; NaN entries (forbidden) are skipped
 * @param total the sum over tables of the largest magnitude in each: no sum of one entry per table exceeds it
 */
export function chooseScale(tables: readonly Float64Array[], total: number): number {
  for (let k = 0, scale = 1; k <= maxDecimals; k++, scale *= 10) {
    if (total * scale > (k === 0 ? integerTotal : decimalTotal)) break;
    if (tables.every((table) => onGrid(table, scale))) return scale;
  }
  // 2^e with total * 2^e in [2^43, 2^44); clamped so that the scale itself stays a normal number
  const exponent = binaryBits - 1 - Math.floor(Math.log2(total));
  return 2 ** Math.max(-1000, Math.min(1000, exponent));
}

/** Whether every number is the double nearest to some integer / scale. */
function onGrid(table: Float64Array, scale: number): boolean {
  for (let i = 0; i < table.length; i++) {
    const x = table[i]!;
    if (Math.floor(x * scale + 0.5) / scale !== x && !Number.isNaN(x)) return false;
  }
  return true;
}

/** The largest magnitude in a table; NaN entries are skipped. */
export function largestMagnitude(table: Float64Array): number {
  let m = 0;
  for (let i = 0; i < table.length; i++) {
    const a = Math.abs(table[i]!);
    if (a > m) m = a;
  }
  return m;
}

/** Puts a number on the grid. */
export function toGrid(x: number, scale: number): number {
  return Math.floor(x * scale + 0.5);
}

/**
 * The largest grid number within the budget. On a decimal grid this is exact. On a binary grid each latency was rounded by
 * up to half a quantum, so half a quantum per term is allowed: a budget equal to the sum of some choice admits that choice.
 */
export function budgetToGrid(budget: number, scale: number, terms: number): number {
  const limit = 2 ** 53;
  const n = Math.floor(budget * scale + 0.5);
  if (n >= limit) return limit;
  if (n <= -limit) return -limit;
  if (isBinary(scale)) return Math.floor(budget * scale + terms / 2);
  return n / scale <= budget ? n : n - 1;
}

function isBinary(scale: number): boolean {
  return scale !== 1 && Number.isInteger(Math.log2(scale));
}
