/** Accuracy of a classifier over labelled data. */
import type { Dataset } from "../data/dataset.js";
import { HalpError } from "../errors.js";
import { floatsOf, type RuntimeTensor, type Session } from "../runtime/index.js";
import { datasetFeeds, type FeedOptions } from "./feeds.js";
import { rankOf } from "./rank.js";

export interface EvaluateOptions extends FeedOptions {
  readonly session: Session;
  readonly dataset: Dataset;
  /** Output with one score for each class; default the model's first. */
  readonly output?: string;
  readonly onProgress?: (progress: { readonly phase: string; readonly done: number; readonly total: number }) => void;
}

/** `halp.evaluation/1` */
export interface Evaluation {
  readonly format: "halp.evaluation/1";
  /** Fraction of samples whose label has the highest score. */
  readonly top1: number;
  /** Fraction of samples whose label is among the five highest scores; 1 where there are at most five classes. */
  readonly top5: number;
  readonly samples: number;
  readonly classes: number;
  /** Samples with a NaN among their scores; they count as wrong. */
  readonly notFinite: number;
}

/** What an evaluation is counted up from. */
export interface RankCounts {
  readonly samples: number;
  readonly classes: number;
  readonly notFinite: number;
  readonly inFirst: number;
  readonly inFive: number;
}

/**
 * Runs every sample once and compares with its label. Among equal scores the first class wins, as in ArgMax.
 * @throws HalpError HALP_EVALUATE_LABELS where the data has none, HALP_EVALUATE_OUTPUT where the output holds no score for
 *   each class, HALP_LABEL_RANGE, HALP_DATA_EMPTY, and what the data and the runtime throw
 */
export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  const { dataset, onProgress } = options;
  const total = Math.min(options.limit ?? Number.POSITIVE_INFINITY, dataset.size ?? Number.POSITIVE_INFINITY);
  const counts = await countRanks(options, (done) =>
    onProgress?.({ phase: "evaluating", done, total: Number.isFinite(total) ? total : 0 }),
  );
  return evaluationOf([counts], dataset);
}

/** @throws HalpError as {@link evaluate}, but for HALP_DATA_EMPTY */
export async function countRanks(options: EvaluateOptions, onSamples?: (done: number) => void): Promise<RankCounts> {
  const { session, dataset } = options;
  const output = options.output ?? session.outputNames[0] ?? "";
  if (!dataset.labelled)
    throw new HalpError(
      "HALP_EVALUATE_LABELS",
      `Accuracy needs labels, and ${dataset.name} has none. Give them with --labels, or compare with another model by --against.`,
    );
  const first = (options.from ?? 0) * options.batchSize;
  let [samples, classes, notFinite, inFirst, inFive] = [0, 0, 0, 0, 0];
  for await (const { feeds, count, labels } of datasetFeeds(session, dataset, options)) {
    const scores = classScores(session.run(feeds, [output])[output], output);
    classes = scores.classes;
    for (let i = 0; i < count; i++) {
      const label = labels?.[i] ?? -1;
      if (label < 0 || label >= classes)
        throw new HalpError(
          "HALP_LABEL_RANGE",
          `Sample ${first + samples + i} of ${dataset.name} has the label ${label}; output "${output}" tells ${classes} classes apart, 0 to ${classes - 1}.`,
          { name: output },
        );
      const rank = rankOf(scores.data.subarray(i * classes, (i + 1) * classes), label);
      if (rank === undefined) notFinite++;
      else {
        if (rank < 1) inFirst++;
        if (rank < 5) inFive++;
      }
    }
    samples += count;
    onSamples?.(samples);
  }
  return { samples, classes, notFinite, inFirst, inFive };
}

/** @throws HalpError HALP_DATA_EMPTY */
export function evaluationOf(parts: readonly RankCounts[], { name }: Pick<Dataset, "name">): Evaluation {
  const sum = (key: keyof RankCounts) => parts.reduce((total, part) => total + part[key], 0);
  const samples = sum("samples");
  if (samples === 0) throw new HalpError("HALP_DATA_EMPTY", `${name} holds no samples.`);
  return {
    format: "halp.evaluation/1",
    top1: sum("inFirst") / samples,
    top5: sum("inFive") / samples,
    samples,
    classes: parts[0]?.classes ?? 0,
    notFinite: sum("notFinite"),
  };
}

/** [N, C], or [N, C, 1, ...]. */
function classScores(tensor: RuntimeTensor | undefined, name: string): { data: Float32Array; classes: number } {
  const dims = tensor?.dims ?? [];
  if (!tensor || dims.length < 2 || (dims[1] ?? 0) < 2 || dims.slice(2).some((d) => d !== 1))
    throw new HalpError(
      "HALP_EVALUATE_OUTPUT",
      `Output "${name}" has the shape ${dims.join("x")}; a classifier's is [samples, classes]. For other networks compare ` +
        "the outputs with those of another model (--against).",
      { name },
    );
  return { data: floatsOf(tensor), classes: dims[1]! };
}
