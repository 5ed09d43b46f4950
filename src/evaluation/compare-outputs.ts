/** How far the outputs of two models lie apart. */
import { HalpError } from "../errors.js";
import type { Feeds, Outputs, RuntimeTensor, Session } from "../runtime/index.js";
import type { Fed } from "./feeds.js";

export interface OutputDifference {
  readonly name: string;
  /** Root mean square of the difference, over that of the reference: sqrt(sum (b - a)^2 / sum a^2). 0: equal. */
  readonly relativeError: number;
  /** Largest absolute difference. */
  readonly largest: number;
  /** Classifiers only: fraction of samples with the same class on top; null for other outputs. */
  readonly agreement: number | null;
}

/** `halp.comparison/1` */
export interface Comparison {
  readonly format: "halp.comparison/1";
  readonly outputs: readonly OutputDifference[];
  readonly samples: number;
}

interface Sums {
  reference: number;
  difference: number;
  largest: number;
  agreeing: number;
  rows: number;
  classifier: boolean;
}

/**
 * Runs both models on the same inputs. Outputs are matched by name, or by position where the names differ; inputs by
 * name, or by position.
 * @param reference the model that the other one is compared with
 * @param onOutputs given the outputs of every batch, those of both under the reference's names
 * @throws HalpError HALP_COMPARE_MODELS where inputs or outputs do not match
 */
export async function compareOutputs(
  reference: Session,
  other: Session,
  batches: AsyncIterable<Pick<Fed, "feeds" | "count">> | Iterable<Pick<Fed, "feeds" | "count">>,
  onBatch?: (samples: number) => void,
  onOutputs?: (reference: Outputs, other: Outputs, count: number) => void,
): Promise<Comparison> {
  const pairs = matchNames(reference.outputNames, other.outputNames, "outputs");
  const inputs = new Map(matchNames(reference.inputNames, other.inputNames, "inputs"));
  const sums = new Map<string, Sums>();
  let samples = 0;
  for await (const { feeds, count } of batches) {
    const expected = reference.run(feeds);
    const renamed: Feeds = Object.fromEntries(Object.entries(feeds).map(([name, t]) => [inputs.get(name) ?? name, t]));
    const actual = other.run(renamed);
    for (const [name, otherName] of pairs) {
      const a = expected[name];
      const b = actual[otherName];
      if (!a || !b) continue;
      if (a.dims.join() !== b.dims.join())
        throw new HalpError(
          "HALP_COMPARE_MODELS",
          `Output "${name}" has the shape ${a.dims.join("x")} in one model and ${b.dims.join("x")} in the other: they cannot be compared.`,
          { name },
        );
      let sum = sums.get(name);
      if (!sum) {
        sum = { reference: 0, difference: 0, largest: 0, agreeing: 0, rows: 0, classifier: isClassifier(a) };
        sums.set(name, sum);
      }
      addUp(sum, a, b, count);
    }
    onOutputs?.(expected, Object.fromEntries(pairs.map(([name, otherName]) => [name, actual[otherName]!])), count);
    samples += count;
    onBatch?.(samples);
  }
  const outputs = pairs.map(([name]): OutputDifference => {
    const s = sums.get(name);
    if (!s) return { name, relativeError: 0, largest: 0, agreement: null };
    return {
      name,
      relativeError: s.difference === 0 ? 0 : Math.sqrt(s.difference / s.reference),
      largest: s.largest,
      agreement: s.classifier && s.rows > 0 ? s.agreeing / s.rows : null,
    };
  });
  return { format: "halp.comparison/1", outputs, samples };
}

/** A score for each of two or more classes: [N, C] or [N, C, 1, ...]. */
function isClassifier(t: RuntimeTensor): boolean {
  return t.dims.length >= 2 && (t.dims[1] ?? 0) >= 2 && t.dims.slice(2).every((d) => d === 1);
}

/** Only the first `count` samples: the rest of a batch may be filling. */
function addUp(sum: Sums, a: RuntimeTensor, b: RuntimeTensor, count: number): void {
  const rowSize = a.data.length / Math.max(1, a.dims[0] ?? 1);
  // Outputs whose first axis is not the batch are taken whole.
  const rows = a.dims.length > 0 && a.dims[0]! >= count ? count : (a.dims[0] ?? 1);
  for (let row = 0; row < rows; row++) {
    let topA = row * rowSize;
    let topB = topA;
    for (let i = row * rowSize; i < (row + 1) * rowSize; i++) {
      const x = Number(a.data[i]);
      const y = Number(b.data[i]);
      const d = y - x;
      sum.reference += x * x;
      sum.difference += d * d;
      sum.largest = Math.max(sum.largest, Math.abs(d));
      if (x > Number(a.data[topA])) topA = i;
      if (y > Number(b.data[topB])) topB = i;
    }
    if (topA === topB) sum.agreeing++;
  }
  sum.rows += rows;
}

function matchNames(a: readonly string[], b: readonly string[], what: string): (readonly [string, string])[] {
  if (a.length !== b.length)
    throw new HalpError(
      "HALP_COMPARE_MODELS",
      `One model has ${a.length} ${what} (${a.join(", ")}), the other ${b.length} (${b.join(", ")}): they cannot be compared.`,
    );
  const sameNames = a.every((name) => b.includes(name));
  return a.map((name, i) => [name, sameNames ? name : b[i]!] as const);
}
