/** First-order importance, accumulated over batches. */
import { setImmediate } from "node:timers/promises";
import type { Coupling } from "../coupling/index.js";
import type { Batch } from "../data/index.js";
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Model } from "../graph/ir.js";
import { sizeOf } from "../graph/tensors.js";
import { classifierOf } from "../operators/classifier.js";
import { isLarge } from "../runtime/index.js";
import { classifierObjective, projectionObjective } from "./objective.js";
import { buildScoreGraph, type ScoreGraph } from "./score-graph.js";
import { openScorer, type ScoreRecipe, type Scorer } from "./scorer.js";
import { findSites } from "./sites.js";
import type { Loss, Saliency, SaliencyOptions } from "./types.js";

/** All that scoring batches takes. */
export interface Scoring {
  readonly model: Model;
  readonly recipe: ScoreRecipe;
  readonly loss: Loss;
  readonly cut: Saliency["cut"];
}

export type ScoringOptions = Omit<SaliencyOptions, "criterion" | "batches" | "batchCount" | "onProgress" | "signal">;

/**
 * The graph that scores a batch, and how it is used.
 * @param labelled whether the batches have labels
 * @throws HalpError HALP_SALIENCY_DATA, HALP_NO_GRADIENT, HALP_NOT_A_CLASSIFIER, HALP_NO_OUTPUT_TO_SCORE
 */
export function prepareScoring(options: ScoringOptions, labelled: boolean): Scoring {
  const { analyzed, coupling } = options;
  const graph = scoreGraph(options, findSites(analyzed, coupling), labelled);
  const { loss, perSample, feeds } = graph.objective;
  return {
    model: graph.model,
    recipe: {
      input: dataInput(analyzed),
      feeds,
      perSample,
      repeats: loss === "projection" ? Math.max(1, options.projections ?? 2) : 1,
      seed: options.seed ?? 0,
      channelCount: coupling.channelCount,
      sums: graph.sums.map(({ site, output, rows }) => ({ output, rows, channels: [...site.channels] })),
      isLarge: isLarge(graph.model),
    },
    loss,
    cut: graph.cut,
  };
}

/** Importance out of the scores of batches, which are added in the order of the batches. */
export interface ScoreSum {
  /** @param scores of the next batch; undefined where they are not finite */
  add(scores: Float64Array | undefined): void;
  /** @throws HalpError HALP_SALIENCY_DATA where there was no batch, HALP_SALIENCY_NOT_FINITE where none was finite */
  importance(scoring: Pick<Scoring, "loss" | "cut" | "recipe">): Saliency;
}

export function sumOfScores(channelCount: number): ScoreSum {
  const total = new Float64Array(channelCount);
  let batches = 0;
  let skippedBatches = 0;
  return {
    add: (scores) => {
      if (!scores) {
        skippedBatches++;
        return;
      }
      for (let c = 0; c < channelCount; c++) total[c] = (total[c] as number) + (scores[c] as number);
      batches++;
    },
    importance: ({ loss, cut, recipe }) => {
      if (batches + skippedBatches === 0) throw noData(recipe.input);
      if (batches === 0)
        throw new HalpError(
          "HALP_SALIENCY_NOT_FINITE",
          `All ${skippedBatches} batches gave NaN or infinite scores. Check the data and their normalisation, or use a criterion of the weights alone (l1, l2).`,
          { exitCode: 1 },
        );
      return { criterion: "taylor", loss, importance: total.map((s) => s / batches), batches, skippedBatches, cut };
    },
  };
}

/** @throws HalpError HALP_SALIENCY_DATA, HALP_SALIENCY_NOT_FINITE, HALP_NO_GRADIENT, HALP_LABEL_RANGE, HALP_LABELS_MISSING */
export async function taylorSaliency(options: SaliencyOptions): Promise<Saliency> {
  const { analyzed, coupling } = options;
  const input = dataInput(analyzed);
  const sum = sumOfScores(coupling.channelCount);
  let scoring: Scoring | undefined;
  let scorer: Scorer | undefined;
  let done = 0;
  try {
    for await (const batch of cutToSize(options.batches ?? noBatches(), input)) {
      // A run blocks the thread: between two of them signals, timers and progress get their turn.
      await setImmediate();
      options.signal?.throwIfAborted();
      scoring ??= prepareScoring(options, batch.labels !== undefined);
      scorer ??= openScorer(scoring.model, scoring.recipe, options.threads ?? 1);
      sum.add(scorer.score(batch, done));
      done++;
      options.onProgress?.({ done, total: Math.max(done, options.batchCount ?? 0) });
    }
  } finally {
    scorer?.[Symbol.dispose]();
  }
  if (!scoring) throw noData(input);
  return sum.importance(scoring);
}

function scoreGraph(options: ScoringOptions, sites: ReturnType<typeof findSites>, labelled: boolean): ScoreGraph {
  const { analyzed, coupling } = options;
  const classifier = classifierOf(analyzed);
  const wanted = options.loss ?? "auto";
  const auto = (): Loss => (!classifier ? "projection" : labelled ? "cross-entropy" : "own-labels");
  const loss = wanted === "auto" ? auto() : wanted;
  if (loss !== "projection" && !classifier)
    throw new HalpError(
      "HALP_NOT_A_CLASSIFIER",
      `The loss ${loss} needs one float32 output of [samples, classes]; this network has ${analyzed.graph.outputs.map((o) => `"${o.name}"`).join(", ")}. Use the loss "projection".`,
    );
  const graph = buildScoreGraph(
    analyzed,
    sites,
    (builder) =>
      loss === "projection" || !classifier
        ? projectionObjective(builder, analyzed)
        : classifierObjective(builder, analyzed, classifier, loss),
    options.includeBias ?? false,
  );
  const [cut] = graph.cut;
  if (cut && unscored(coupling, graph).length > 0)
    throw new HalpError(
      "HALP_NO_GRADIENT",
      `${cut.reason} Groups ${unscored(coupling, graph)
        .slice(0, 3)
        .map((n) => `"${n}"`)
        .join(", ")} can be scored by no other path.`,
      { node: cut.node, exitCode: 1 },
    );
  return graph;
}

/** Groups that may be pruned and that no site scores. */
function unscored(coupling: Coupling, graph: ScoreGraph): string[] {
  const scored = new Set<number>();
  for (const { site } of graph.sums)
    for (const c of site.channels) if (c >= 0) scored.add(coupling.groupOf[c] as number);
  return coupling.groups.filter((g) => g.frozen === undefined && !scored.has(g.id)).map((g) => g.name);
}

interface DataInput {
  readonly name: string;
  readonly dims: readonly number[];
}

/** The one input that data go into. */
function dataInput(analyzed: AnalyzedGraph): DataInput {
  const inputs = [...analyzed.inputDims].map(([name, dims]) => ({ name, dims }));
  const [input] = inputs;
  if (!input || inputs.length > 1 || analyzed.types.get(input.name)?.dtype !== "float32")
    throw new HalpError(
      "HALP_SALIENCY_DATA",
      `Scores by gradient need a network with one float32 input; this one has ${inputs.map((i) => `"${i.name}"`).join(", ") || "none"}. Use a criterion of the weights alone: l1, l2 or bn-scale.`,
    );
  return input;
}

/** Batches of just the size that was analysed. */
async function* cutToSize(batches: AsyncIterable<Batch>, input: DataInput): AsyncGenerator<Batch> {
  const [size = 1, ...sample] = input.dims;
  const each = sizeOf(sample);
  for await (const batch of batches) {
    const [n = 0, ...given] = batch.dims;
    if (given.length !== sample.length || given.some((d, i) => d !== sample[i]))
      throw new HalpError(
        "HALP_DATA_SHAPE",
        `Input "${input.name}" takes samples of [${sample.join(", ")}]; the data have [${given.join(", ")}]. Prepare the data, or give the input's dims.`,
        { name: input.name },
      );
    for (let at = 0; at + size <= n; at += size)
      yield {
        images: batch.images.subarray(at * each, (at + size) * each),
        dims: input.dims,
        ...(batch.labels ? { labels: batch.labels.subarray(at, at + size) } : {}),
      };
  }
}

async function* noBatches(): AsyncGenerator<Batch> {}

function noData(input: DataInput): HalpError {
  return new HalpError(
    "HALP_SALIENCY_DATA",
    `Scores by gradient need at least one whole batch of ${input.dims[0] ?? 1} samples; the data held fewer. Give more data or a smaller batch.`,
  );
}
