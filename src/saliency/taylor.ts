/** First-order importance, accumulated over batches. */
import { setImmediate } from "node:timers/promises";
import type { Coupling } from "../coupling/index.js";
import { type Batch, createRandom } from "../data/index.js";
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { sizeOf } from "../graph/tensors.js";
import { classifierOf } from "../operators/classifier.js";
import { createSession, floatsOf, floatTensor, isLarge, type Outputs } from "../runtime/index.js";
import { classifierObjective, projectionObjective } from "./objective.js";
import { buildScoreGraph, type ScoreGraph } from "./score-graph.js";
import { findSites } from "./sites.js";
import type { Loss, Saliency, SaliencyOptions } from "./types.js";

/** @throws HalpError HALP_SALIENCY_DATA, HALP_SALIENCY_NOT_FINITE, HALP_NO_GRADIENT, HALP_LABEL_RANGE, HALP_LABELS_MISSING */
export async function taylorSaliency(options: SaliencyOptions): Promise<Saliency> {
  const { analyzed, coupling } = options;
  const random = createRandom(options.seed ?? 0);
  const input = dataInput(analyzed);
  const sites = findSites(analyzed, coupling);
  const total = new Float64Array(coupling.channelCount);
  let batches = 0;
  let skippedBatches = 0;
  let graph: ScoreGraph | undefined;
  let session: ReturnType<typeof createSession> | undefined;
  try {
    for await (const batch of cutToSize(options.batches ?? noBatches(), input)) {
      // A run blocks the thread: between two of them signals, timers and progress get their turn.
      await setImmediate();
      options.signal?.throwIfAborted();
      if (!graph || !session) {
        graph = scoreGraph(options, sites, batch.labels !== undefined);
        session = createSession(graph.model, {
          threads: options.threads ?? 1,
          // The runtime's own forms of the weights, forwards and backwards, would be two copies more.
          ...(isLarge(graph.model) ? { optimization: "disabled" } : {}),
        });
      }
      const { objective } = graph;
      const repeats = objective.loss === "projection" ? Math.max(1, options.projections ?? 2) : 1;
      const scores = new Float64Array(total.length);
      const images = floatTensor(batch.images, batch.dims);
      for (let k = 0; k < repeats; k++) {
        const outputs = session.run({ [input.name]: images, ...objective.feeds(random, batch.labels) });
        addScores(scores, graph, outputs, input.dims[0] ?? 1, repeats);
      }
      if (scores.every(Number.isFinite)) {
        for (let c = 0; c < total.length; c++) total[c] = (total[c] as number) + (scores[c] as number);
        batches++;
      } else skippedBatches++;
      const done = batches + skippedBatches;
      options.onProgress?.({ done, total: Math.max(done, options.batchCount ?? 0) });
    }
  } finally {
    session?.dispose();
  }
  if (!graph) throw noData(input);
  if (batches === 0)
    throw new HalpError(
      "HALP_SALIENCY_NOT_FINITE",
      `All ${skippedBatches} batches gave NaN or infinite scores. Check the data and their normalisation, or use a criterion of the weights alone (l1, l2).`,
      { exitCode: 1 },
    );
  for (let c = 0; c < total.length; c++) total[c] = (total[c] as number) / batches;
  return {
    criterion: "taylor",
    loss: graph.objective.loss,
    importance: total,
    batches,
    skippedBatches,
    cut: graph.cut,
  };
}

function scoreGraph(options: SaliencyOptions, sites: ReturnType<typeof findSites>, labelled: boolean): ScoreGraph {
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

/**
 * Adds what one run says. For each channel the sums at its sites are added up first, then the absolute value is taken
 * (over the batch as one), or the mean square over the samples.
 */
function addScores(scores: Float64Array, graph: ScoreGraph, outputs: Outputs, samples: number, repeats: number): void {
  const { perSample } = graph.objective;
  const lines = perSample ? samples : 1;
  const count = scores.length;
  const sums = new Float64Array(lines * count);
  for (const { site, output, rows } of graph.sums) {
    const data = floatsOf(outputs[output] as Outputs[string]);
    const width = site.channels.length;
    for (let row = 0; row < rows; row++) {
      // A network may fold other axes into the first: rows of one sample then follow each other.
      const line = rows % lines === 0 ? Math.floor((row * lines) / rows) : 0;
      for (let i = 0; i < width; i++) {
        const c = site.channels[i] as number;
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
