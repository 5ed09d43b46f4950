/** The process in which a network is trained: sessions block their thread, and memory is handed out there without page faults. */
import { setImmediate } from "node:timers/promises";
import { type Batch, type Loader, openLoader } from "../data/index.js";
import { HalpError } from "../errors.js";
import { type Model, opsetOf } from "../graph/ir.js";
import { decodeModel, encodeModel } from "../onnx/index.js";
import { findOperator } from "../operators/index.js";
import { serveParent } from "../runtime/index.js";
import { createFormChooser, readForms, writeForms } from "./forms.js";
import { readTensors, writeTensors } from "./safetensors.js";
import { learningRateAt } from "./schedule.js";
import { createTrainer, type Trainer } from "./trainer.js";
import type { ChunkReport, ChunkRequest, FormFiles, JobMessage, OpenedTraining, ScoreSite } from "./training.js";

interface Work {
  readonly trainer: Trainer;
  readonly loader: Loader;
  /** The networks are in the trainer. */
  readonly job: Omit<JobMessage, "model" | "teacher">;
  /** Batches that are being read, and where they stand. */
  batches?: { readonly iterator: AsyncIterator<Batch>; readonly epoch: number; at: number };
}

let work: Work | undefined;

serveParent({
  open,
  train,
  save,
  load,
  model,
  passes: () => ({ graph: encodeModel(present().trainer.graph), recipe: present().trainer.recipe }),
  weights: () => present().trainer.weights(),
});

function present(): Work {
  if (!work) throw new Error("There is no training yet.");
  return work;
}

async function open({ model, teacher, ...job }: JobMessage): Promise<OpenedTraining> {
  const { formFiles, recipe } = job;
  const network = decodeModel(model);
  const forms = formFiles && (await openForms(formFiles, network, job.threads));
  const loader = await openLoader(job.loader);
  const { info } = loader;
  const trainer = createTrainer({
    model: network,
    ...(info.labelDims ? { labelDims: info.labelDims } : {}),
    ...(forms ? { choose: forms.choose } : {}),
    inputDims: new Map(job.inputDims),
    findOperator,
    loss: recipe.loss.map((term) => (term.kind === "graph" ? { ...term, model: decodeModel(term.model) } : term)),
    optimizer: recipe.optimizer,
    ...(teacher ? { teacher: decodeModel(teacher) } : {}),
    ...(recipe.clipNorm === undefined ? {} : { clipNorm: recipe.clipNorm }),
    ...(recipe.accumulate === undefined ? {} : { accumulate: recipe.accumulate }),
    ...(recipe.freezeBatchNorm === undefined ? {} : { freezeBatchNorm: recipe.freezeBatchNorm }),
    ...(recipe.recompute === undefined ? {} : { recompute: recipe.recompute }),
    ...(job.only ? { only: job.only } : {}),
    score: job.scores,
    ...(job.masks ? { masks: job.masks } : {}),
    threads: job.threads,
  });
  await forms?.keep();
  if (trainer.labelled && !info.labelled && !info.labelDims)
    throw new HalpError(
      "HALP_LABELS_MISSING",
      `The loss needs labels, and ${info.name} has none. Give them with --labels, or distil from the original, which needs none.`,
    );
  work = { trainer, loader, job };
  const samples = Math.min(info.size ?? Number.POSITIVE_INFINITY, job.loader.limit ?? Number.POSITIVE_INFINITY);
  return {
    parameterCount: trainer.parameterCount,
    stepsPerEpoch: Math.floor(samples / (trainer.batchSize * trainer.accumulate)),
    samplesPerStep: trainer.batchSize * trainer.accumulate,
    data: info.name,
  };
}

/** What is known of this run comes before what is known of this machine; what is new is written down before it is used. */
async function openForms({ run, cache }: FormFiles, network: Model, threads: number) {
  const ofRun = await readForms(run);
  const ofMachine = cache === undefined ? new Map<string, string>() : await readForms(cache);
  const chooser = createFormChooser(opsetOf(network), threads, new Map([...ofMachine, ...ofRun]));
  const keep = async () => {
    const { chosen } = chooser;
    if ([...chosen.keys()].some((key) => !ofRun.has(key))) await writeForms(run, new Map([...ofRun, ...chosen]));
    if (cache !== undefined && chooser.tried > 0)
      await writeForms(cache, new Map([...(await readForms(cache)), ...chosen]));
  };
  return { choose: chooser.choose, keep };
}

/** Steps from a place in an epoch until the epoch ends, enough were taken, or the time is over. */
async function train(request: ChunkRequest): Promise<ChunkReport> {
  const now = present();
  const { trainer, loader, job } = now;
  const { epoch, from, steps, maxMs, before } = request;
  // Where others made the first passes of a step the loader gives its last batch alone.
  const made = before?.passes ?? 0;
  const each = trainer.accumulate - made;
  if (now.batches?.epoch !== epoch || now.batches.at !== from * trainer.accumulate) {
    await now.batches?.iterator.return?.();
    now.batches = {
      iterator: loader.epoch(epoch, from * trainer.accumulate + made)[Symbol.asyncIterator](),
      epoch,
      at: from * trainer.accumulate,
    };
  }
  const reading = now.batches;
  const start = performance.now();
  const importance = new Float64Array(job.channelCount);
  let [taken, samples, skipped, scored, loss, gradientNorm, learningRate] = [0, 0, 0, 0, 0, 0, 0];
  let correct: number | undefined;
  let ended = false;
  while (taken < steps && (taken === 0 || performance.now() - start < maxMs)) {
    let batches: Batch[];
    try {
      batches = await nextBatches(reading.iterator, each);
    } catch (e) {
      delete now.batches;
      if (taken === 0) throw e;
      // What was learnt so far is told first; whoever asks for more runs into the error again.
      break;
    }
    // A last step of fewer batches would weigh its samples more: it is left out.
    if (batches.length < each) {
      ended = true;
      break;
    }
    reading.at += trainer.accumulate;
    await setImmediate();
    learningRate = learningRateAt(job.recipe.schedule, request.step + taken, request.totalSteps);
    const result = trainer.step(batches, learningRate, before);
    taken++;
    samples += result.samples;
    if (!result.finite) {
      skipped++;
      continue;
    }
    loss += result.loss;
    gradientNorm = result.gradientNorm;
    if (result.correct !== undefined) correct = (correct ?? 0) + result.correct;
    if (addScores(importance, job.scores, result.scores)) scored++;
  }
  if (ended) delete now.batches;
  const finite = taken - skipped;
  return {
    steps: taken,
    samples,
    skipped,
    ended,
    loss: finite > 0 ? loss / finite : Number.NaN,
    gradientNorm,
    learningRate,
    ...(correct === undefined ? {} : { correct }),
    ...(scored > 0 ? { importance, scored } : {}),
  };
}

/** Fewer where the epoch ends. */
async function nextBatches(iterator: AsyncIterator<Batch>, count: number): Promise<Batch[]> {
  const batches: Batch[] = [];
  while (batches.length < count) {
    const next = await iterator.next();
    if (next.done) break;
    batches.push(next.value);
  }
  return batches;
}

/** For each channel the sums at its sites are added up first, then the absolute value is taken: over the batch as one. */
function addScores(
  total: Float64Array,
  sites: readonly ScoreSite[],
  scores: ReadonlyMap<string, Float32Array>,
): boolean {
  if (scores.size === 0) return false;
  const sums = new Float64Array(total.length);
  for (const { value, channels } of sites) {
    const own = scores.get(value);
    if (!own) continue;
    channels.forEach((c, i) => {
      if (c >= 0) sums[c] = (sums[c] as number) + (own[i] as number);
    });
  }
  if (!sums.every(Number.isFinite)) return false;
  for (let c = 0; c < total.length; c++) total[c] = (total[c] as number) + Math.abs(sums[c] as number);
  return true;
}

async function save({ path, metadata }: { path: string; metadata: Record<string, string> }): Promise<void> {
  const { trainer } = present();
  await writeTensors(path, { tensors: trainer.tensors(), metadata: { ...metadata, steps: `${trainer.steps}` } });
}

async function load({ path }: { path: string }): Promise<void> {
  const { tensors, metadata } = await readTensors(path);
  present().trainer.load(tensors, Number(metadata.steps ?? 0));
}

function model(): Uint8Array {
  return encodeModel(present().trainer.model());
}
