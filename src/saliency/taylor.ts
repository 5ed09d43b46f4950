/** HALP's first-order Taylor score, accumulated over batches. */
import type { Coupling } from "../coupling/index.js";
import { type Batch, createRandom, type Random } from "../data/index.js";
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { float32Of } from "../graph/tensors.js";
import { createSession, type Feeds, floatsOf, floatTensor, type Outputs, type Session } from "../runtime/index.js";
import { chooseLoss, crossEntropyGradient, drawLabels, type Loss, probabilities, projectionGradient } from "./loss.js";
import { buildScoreGraph, type ScoreGraph } from "./score-graph.js";
import { findSites } from "./sites.js";

export interface TaylorInput {
  readonly analyzed: AnalyzedGraph;
  readonly coupling: Coupling;
  readonly batches: AsyncIterable<Batch>;
  readonly seed?: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (p: { done: number; total: number }) => void;
  readonly onWarning?: (message: string) => void;
}

export interface TaylorScores {
  /** By global channel number. */
  readonly importance: Float64Array;
  readonly loss: Loss["kind"];
  /** Batches that counted. */
  readonly batches: number;
  /** Batches with NaN or infinity among their scores. */
  readonly skippedBatches: number;
}

/**
 * For each batch the score of a channel is |sum over its group's layers of gamma * dL/dgamma + beta * dL/dbeta| (of
 * w * dL/dw where there is no batch norm); projections take the square of the sum. Scores are averaged over batches.
 * @throws HalpError HALP_SALIENCY_INPUTS, HALP_SALIENCY_NAN where no batch had finite scores, HALP_NO_GRADIENT
 */
export async function taylorScores(input: TaylorInput): Promise<TaylorScores> {
  const { analyzed, coupling, signal } = input;
  const loss = chooseLoss(analyzed);
  const graph = buildScoreGraph(analyzed, findSites(analyzed, coupling), loss);
  for (const { reason } of graph.cut) input.onWarning?.(`Channels are scored without some of their paths. ${reason}`);
  const threads = input.threads ?? 1;
  using forward = createSession(analyzed.model, { threads });
  using scorer = createSession(graph.model, { threads });
  const random = createRandom(input.seed ?? 0);
  const importance = new Float64Array(coupling.channelCount);
  let batches = 0;
  let skippedBatches = 0;
  for await (const batch of input.batches) {
    // A run blocks the event loop; Ctrl-C and progress want their turn.
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    const feeds = feedsOf(analyzed, batch);
    const seeds = lossGradients(loss, forward, feeds, batch, random);
    const outputs = scorer.run({ ...feedsFor(scorer, feeds), ...seedFeeds(analyzed, loss, graph, seeds) });
    const scores = batchScores(analyzed, coupling, graph, outputs);
    if (scores.every(Number.isFinite)) {
      batches++;
      scores.forEach((s, c) => {
        importance[c] = (importance[c] as number) + (loss.kind === "projection" ? s * s : Math.abs(s));
      });
    } else skippedBatches++;
    input.onProgress?.({ done: batches + skippedBatches, total: 0 });
  }
  if (batches === 0)
    throw new HalpError(
      "HALP_SALIENCY_NAN",
      skippedBatches > 0
        ? `All ${skippedBatches} batches gave NaN or infinite scores: check the normalisation of the data (--mean, --std).`
        : "There was no whole batch to score with: give more data (--limit) or a smaller --batch.",
      { exitCode: skippedBatches > 0 ? 1 : 2 },
    );
  return { importance: importance.map((s) => s / batches), loss: loss.kind, batches, skippedBatches };
}

function feedsOf(analyzed: AnalyzedGraph, batch: Batch): Feeds {
  const [input, ...others] = [...analyzed.inputDims];
  if (!input || others.length > 0)
    throw new HalpError(
      "HALP_SALIENCY_INPUTS",
      `Saliency feeds one input, and the model has ${analyzed.inputDims.size}: ${[...analyzed.inputDims.keys()].join(", ")}. Use a criterion that needs no data (--criterion l1).`,
    );
  const [name, dims] = input;
  if (dims.join() !== batch.dims.join())
    throw new HalpError(
      "HALP_DATA_SHAPE",
      `A batch has the shape ${batch.dims.join("x")}; input "${name}" wants ${dims.join("x")}.`,
    );
  return { [name]: floatTensor(batch.images, batch.dims) };
}

/** Only what the session asks for: the input drops out where no score depends on it. */
function feedsFor(session: Session, feeds: Feeds): Feeds {
  return Object.fromEntries(Object.entries(feeds).filter(([name]) => session.inputNames.includes(name)));
}

function lossGradients(loss: Loss, forward: Session, feeds: Feeds, batch: Batch, random: Random): Float32Array[] {
  const outputs = forward.run(feeds);
  const read = (name: string) => {
    const tensor = outputs[name];
    if (!tensor) throw new HalpError("HALP_RUNTIME_RUN", `The network gave no output "${name}".`, { exitCode: 1 });
    return floatsOf(tensor);
  };
  if (loss.kind === "projection") return loss.values.map((name) => projectionGradient(read(name), random));
  const p = probabilities(read(loss.output), loss.classes, loss.outputKind);
  return [crossEntropyGradient(p, batch.labels ?? drawLabels(p, loss.classes, random), loss.classes)];
}

function seedFeeds(analyzed: AnalyzedGraph, loss: Loss, graph: ScoreGraph, seeds: readonly Float32Array[]): Feeds {
  return Object.fromEntries(
    seeds.map((data, i) => [
      graph.seeds[i] ?? "",
      floatTensor(data, analyzed.types.get(loss.values[i] ?? "")?.dims ?? [data.length]),
    ]),
  );
}

/** Signed sum over each channel's layers and positions. */
function batchScores(analyzed: AnalyzedGraph, coupling: Coupling, graph: ScoreGraph, outputs: Outputs): Float64Array {
  const scores = new Float64Array(coupling.channelCount);
  for (const { site, weighted, plain } of graph.sums) {
    const rows = outputs[weighted] && floatsOf(outputs[weighted]);
    const gradients = plain === undefined ? undefined : outputs[plain] && floatsOf(outputs[plain]);
    const biases = site.bias === undefined ? undefined : analyzed.constants.get(site.bias);
    const bias = gradients && biases ? float32Of(biases) : undefined;
    const count = site.channels.length;
    rows?.forEach((s, i) => {
      const position = i % count;
      const channel = site.channels[position] as number;
      if (channel < 0) return;
      const own = bias && gradients ? s - (bias[position] as number) * (gradients[i] as number) : s;
      scores[channel] = (scores[channel] as number) + own;
    });
  }
  return scores;
}
