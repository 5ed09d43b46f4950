/** Scores of single batches, by a graph and a recipe that hold all that it takes: the same anywhere, in any order. */
import { type Batch, createRandom, deriveSeed, type Random, targetsOf } from "../data/index.js";
import { HalpError } from "../errors.js";
import type { Model } from "../graph/ir.js";
import { sizeOf } from "../graph/tensors.js";
import {
  createSession,
  floatsOf,
  floatTensor,
  type ModelSource,
  type Outputs,
  type RuntimeTensor,
} from "../runtime/index.js";

/** What a score graph is fed besides the images. */
export interface ScoreFeed {
  readonly name: string;
  /** Of a target: [samples, classes]. */
  readonly dims: readonly number[];
  /** Gumbel noise, 1 at the label and 0 elsewhere, or -1 and 1 at random. */
  readonly kind: "gumbel" | "target" | "signs";
}

/** How a score graph is used. Plain data. */
export interface ScoreRecipe {
  /** What images go into, and the dims of a batch. */
  readonly input: { readonly name: string; readonly dims: readonly number[] };
  readonly feeds: readonly ScoreFeed[];
  /** Whether samples are scored each for itself and squared; else the batch is scored as one. */
  readonly perSample: boolean;
  /** Runs a batch, 1 or more: of the graph with other chance each time. */
  readonly repeats: number;
  readonly seed: number;
  readonly channelCount: number;
  /** Outputs of [rows, channels.length] with what each channel has at one site; -1: of no channel. */
  readonly sums: readonly { readonly output: string; readonly rows: number; readonly channels: readonly number[] }[];
  /** The runtime's own forms of the weights would be too much memory. */
  readonly isLarge: boolean;
}

export interface Scorer extends Disposable {
  /**
   * The score of each channel by its global number; undefined where one is NaN or infinite.
   * @param number of the batch, from 0: with the seed it decides all that is random, whichever batches came before
   * @throws HalpError HALP_LABEL_RANGE, HALP_LABELS_MISSING, HALP_RUNTIME_RUN
   */
  score(batch: Batch, number: number): Float64Array | undefined;
}

/**
 * @param model a score graph, as {@link prepareScoring} makes it
 * @throws HalpError HALP_SCORE_GRAPH where graph and recipe do not belong together, HALP_RUNTIME_LOAD
 */
export function openScorer(model: Model | ModelSource, recipe: ScoreRecipe, threads: number): Scorer {
  const { input, feeds, repeats, seed, channelCount } = recipe;
  const session = createSession(model, {
    threads,
    memoryPlan: false,
    ...(recipe.isLarge ? { optimization: "disabled" } : {}),
  });
  const fits = recipe.sums.every(({ output, rows, channels }) => {
    const dims = session.outputs.find(({ name }) => name === output)?.dims;
    return dims?.length === 2 && dims[0] === rows && dims[1] === channels.length;
  });
  if (!fits) {
    session.dispose();
    throw new HalpError("HALP_SCORE_GRAPH", "The graph has other outputs than its recipe says.", { exitCode: 1 });
  }
  return {
    score: (batch, number) => {
      const random = createRandom(deriveSeed(seed, number));
      const scores = new Float64Array(channelCount);
      const images = floatTensor(batch.images, batch.dims);
      for (let k = 0; k < repeats; k++) {
        const others = feeds.map((feed) => [feed.name, fed(feed, random, batch.labels)]);
        addScores(scores, recipe, session.run({ [input.name]: images, ...Object.fromEntries(others) }));
      }
      return scores.every(Number.isFinite) ? scores : undefined;
    },
    [Symbol.dispose]: () => session.dispose(),
  };
}

function fed({ kind, dims }: ScoreFeed, random: Random, labels: Int32Array | undefined): RuntimeTensor {
  const [count = 0, classes = 0] = dims;
  if (kind === "target") return floatTensor(targetsOf(labels, count, classes), dims);
  const draw =
    kind === "signs"
      ? () => (random.uint32() & 1 ? 1 : -1)
      : () => -Math.log(-Math.log(insideUnitInterval(random.uniform())));
  return floatTensor(Float32Array.from({ length: sizeOf(dims) }, draw), dims);
}

/** Into the open interval (0, 1): Gumbel noise is infinite at its ends. */
const insideUnitInterval = (u: number) => 1e-12 + u * (1 - 2e-12);

/**
 * Adds what one run says. For each channel the sums at its sites are added up first, then the absolute value is taken
 * (over the batch as one), or the mean square over the samples.
 */
function addScores(scores: Float64Array, recipe: ScoreRecipe, outputs: Outputs): void {
  const { perSample, repeats, channelCount: count } = recipe;
  const lines = perSample ? (recipe.input.dims[0] ?? 1) : 1;
  const sums = new Float64Array(lines * count);
  for (const { output, rows, channels } of recipe.sums) {
    const data = floatsOf(outputs[output] as Outputs[string]);
    const width = channels.length;
    for (let row = 0; row < rows; row++) {
      // A network may fold other axes into the first: rows of one sample then follow each other.
      const line = rows % lines === 0 ? Math.floor((row * lines) / rows) : 0;
      for (let i = 0; i < width; i++) {
        const c = channels[i] as number;
        if (c >= 0) sums[line * count + c] = (sums[line * count + c] as number) + (data[row * width + i] as number);
      }
    }
  }
  for (let line = 0; line < lines; line++)
    for (let c = 0; c < count; c++) {
      const s = sums[line * count + c] as number;
      const score = perSample ? (s * s) / (lines * repeats) : Math.abs(s);
      scores[c] = (scores[c] as number) + score;
    }
}
