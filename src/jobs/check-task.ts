/** Tasks as they came from elsewhere, held against what they have to be. */
import { HalpError } from "../errors.js";
import type { DataSource } from "../evaluation/index.js";
import type { PassRecipe } from "../finetune/index.js";
import { isNumber, isObject, type JsonObject } from "../json.js";
import { type Item, isTableDevice, type LayerConfig, layerKey } from "../latency/index.js";
import type { Pin } from "../runtime/index.js";
import type { ScoreRecipe } from "../saliency/index.js";
import type {
  EvaluateTask,
  MeasureLayersTask,
  MeasureModelsTask,
  MeterTask,
  PassTask,
  ScoreTask,
  ShardTask,
} from "./tasks.js";

export function wrong(why: string): HalpError {
  return new HalpError("HALP_JOB_TASK", `The job cannot be done: ${why}.`, { exitCode: 1 });
}

const isCount = (x: unknown, most: number): x is number =>
  Number.isInteger(x) && (x as number) >= 1 && (x as number) <= most;
const isTime = (x: unknown): boolean => x === undefined || (isNumber(x) && x >= 0 && x <= 86_400_000);
const mostThreads = 1024;

/** "auto", "none" or a list of cores. */
function isPin(x: unknown): x is Pin {
  if (typeof x === "string") return x === "auto" || x === "none";
  return Array.isArray(x) && x.every((core) => Number.isInteger(core) && core >= 0);
}

export function meterTask(task: unknown): MeterTask {
  if (!isObject(task)) throw wrong("it holds nothing");
  const { threads, pin, patienceMs, bankMs, bankLayers } = task;
  if (!isCount(threads, mostThreads) || !isPin(pin)) throw wrong("its threads or cores are none");
  if (![patienceMs, bankMs].every(isTime)) throw wrong("its times are none");
  if (bankLayers !== undefined && !isCount(bankLayers, 10_000)) throw wrong("its bank is none");
  return {
    threads,
    pin,
    ...(patienceMs === undefined ? {} : { patienceMs: patienceMs as number }),
    ...(bankMs === undefined ? {} : { bankMs: bankMs as number }),
    ...(bankLayers === undefined ? {} : { bankLayers: bankLayers as number }),
  };
}

export function layersTask(task: unknown): Pick<MeasureLayersTask, "device" | "layers"> {
  if (!isObject(task)) throw wrong("it holds nothing");
  const { device, layers } = task;
  if (!isTableDevice(device)) throw wrong("its device is incomplete");
  if (!Array.isArray(layers) || !layers.every(isItem)) throw wrong("a layer does not fit its key");
  return { device, layers };
}

function isItem(x: unknown): x is Item {
  if (!Array.isArray(x) || x.length !== 2) return false;
  try {
    return layerKey(x[1] as LayerConfig) === x[0];
  } catch {
    return false;
  }
}

export function modelsTask(task: unknown): MeasureModelsTask {
  if (!isObject(task)) throw wrong("it holds nothing");
  const { models, inputs, threads, pin, seed, samples, limitMs } = task;
  const areHashes = Array.isArray(models) && models.length > 0 && models.length <= 16 && models.every(isHash);
  if (!areHashes) throw wrong("its models are none");
  const sets: readonly unknown[] = Array.isArray(inputs) ? inputs : [inputs];
  const fit = !Array.isArray(inputs) || inputs.length === models.length;
  if (!fit || !sets.every((set) => isObject(set) && Object.values(set).every(isDims)))
    throw wrong("the dims of its inputs are none");
  if (!isCount(threads, mostThreads) || !isPin(pin) || !Number.isInteger(seed))
    throw wrong("its threads or cores are none");
  if ((samples !== undefined && !isCount(samples, 1e6)) || !isTime(limitMs)) throw wrong("its samples are none");
  return task as unknown as MeasureModelsTask;
}

const isDims = (x: unknown): boolean => Array.isArray(x) && x.every((d) => Number.isInteger(d) && d >= 0);
export const isHash = (x: unknown): x is string => typeof x === "string" && /^[0-9a-f]{64}$/.test(x);

const isWhole = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0;
const isOptional = (x: unknown, is: (x: unknown) => boolean): boolean => x === undefined || is(x);
const isText = (x: unknown): boolean => typeof x === "string" && x.length <= 4096;
const isNumbers = (x: unknown): boolean => Array.isArray(x) && x.every(isNumber);

function isDataSource(x: unknown): x is DataSource {
  if (!isObject(x)) return false;
  if (x.kind === "drawn") return isDims(x.dims) && Number.isSafeInteger(x.seed);
  const { spec } = x;
  if (x.kind !== "stored" || !isObject(spec)) return false;
  const normalize = spec.normalize ?? {};
  return (
    isText(spec.path) &&
    [spec.kind, spec.split, spec.labels, spec.labelsAs, spec.layout, spec.fit].every((s) => isOptional(s, isText)) &&
    isOptional(spec.size, isDims) &&
    [spec.channels, spec.classes].every((n) => isOptional(n, isWhole)) &&
    isObject(normalize) &&
    isOptional(normalize.scale, isNumber) &&
    [normalize.mean, normalize.std].every((n) => isOptional(n, isNumbers)) &&
    // What bounds a worker is for the worker to say.
    spec.limits === undefined &&
    spec.within === undefined
  );
}

/** Batches a task at most. */
export const mostBatches = 1024;

function checkShard(task: unknown): asserts task is JsonObject & ShardTask {
  if (!isObject(task)) throw wrong("it holds nothing");
  const { data, mark, batchSize, from, count, threads } = task;
  if (!isDataSource(data)) throw wrong("its data are none");
  if (!isObject(mark) || !isHash(mark.sha256) || !(mark.size === null || isWhole(mark.size)))
    throw wrong("the mark of its data is none");
  if (!isCount(batchSize, 65_536) || !isWhole(from) || !isCount(count, mostBatches))
    throw wrong("its batches are none");
  if (!isCount(threads, mostThreads)) throw wrong("its threads are none");
}

export function scoreTask(task: unknown): ScoreTask {
  checkShard(task);
  const { graph, recipe, shuffleSeed } = task;
  if (!isHash(graph) || !isHash(recipe)) throw wrong("its graph is none");
  if (!Number.isSafeInteger(shuffleSeed)) throw wrong("its seed is none");
  return task as unknown as ScoreTask;
}

export function evaluateTask(task: unknown): EvaluateTask {
  checkShard(task);
  if (!isHash(task.model)) throw wrong("its model is none");
  if (!isOptional(task.limit, isWhole)) throw wrong("its limit is none");
  return task as unknown as EvaluateTask;
}

/**
 * A recipe that a scorer can follow, or that it refuses.
 * @throws HalpError HALP_JOB_TASK
 */
export function checkRecipe(x: unknown): ScoreRecipe {
  const isSum = (s: unknown) =>
    isObject(s) && isText(s.output) && isWhole(s.rows) && Array.isArray(s.channels) && s.channels.every(isChannel);
  const isFeed = (f: unknown) =>
    isObject(f) && isText(f.name) && isDims(f.dims) && ["gumbel", "target", "signs"].includes(f.kind as string);
  const isChannel = (c: unknown) =>
    Number.isSafeInteger(c) && (c as number) >= -1 && (c as number) < Number(channelCount);
  if (!isObject(x)) throw wrong("its recipe is none");
  const { input, feeds, perSample, repeats, seed, channelCount, sums, isLarge } = x;
  if (!isCount(channelCount, 10_000_000)) throw wrong("the channels of its recipe are none");
  if (!isObject(input) || !isText(input.name) || !isDims(input.dims)) throw wrong("the input of its recipe is none");
  if (!Array.isArray(feeds) || !feeds.every(isFeed)) throw wrong("the feeds of its recipe are none");
  if (!Array.isArray(sums) || !sums.every(isSum)) throw wrong("the sums of its recipe are none");
  if (!isCount(repeats, 1000) || !isNumber(seed)) throw wrong("its recipe has no seed");
  if (typeof perSample !== "boolean" || typeof isLarge !== "boolean") throw wrong("its recipe is incomplete");
  return x as unknown as ScoreRecipe;
}

export function passTask(task: unknown): PassTask {
  checkShard(task);
  const { graph, recipe, weights, samples, count } = task;
  if (![graph, recipe, weights].every(isHash) || count !== 1) throw wrong("its graph is none");
  if (!isObject(samples)) throw wrong("its samples are none");
  const { limit, choiceSeed, shuffleSeed, augment } = samples;
  if (!isOptional(limit, isWhole) || ![choiceSeed, shuffleSeed].every((s) => isOptional(s, Number.isSafeInteger)))
    throw wrong("its samples are none");
  if (augment !== undefined && !(isObject(augment) && Number.isSafeInteger(augment.seed) && isAugmentation(augment.by)))
    throw wrong("the augmentation of its samples is none");
  return task as unknown as PassTask;
}

function isAugmentation(x: unknown): boolean {
  const isRange = (r: unknown) => isNumbers(r) && (r as number[]).length === 2;
  if (!isObject(x)) return false;
  const { crop, flip, resizedCrop } = x;
  const parts = resizedCrop ?? {};
  return (
    isOptional(crop, isWhole) &&
    isOptional(flip, (f) => typeof f === "boolean") &&
    isObject(parts) &&
    [parts.scale, parts.ratio].every((range) => isOptional(range, isRange))
  );
}

/**
 * A recipe that passes can be made by, or are refused.
 * @throws HalpError HALP_JOB_TASK
 */
export function checkPassRecipe(x: unknown): PassRecipe {
  const isNamed = (n: unknown) => isObject(n) && isText(n.name) && isDims(n.dims);
  const areNamed = (list: unknown) => Array.isArray(list) && list.every(isNamed);
  const isFeed = (f: unknown) =>
    isNamed(f) &&
    isObject(f) &&
    (f.kind === "target"
      ? isNumber(f.smoothing)
      : f.kind === "labels" && ["float32", "int32", "int64"].includes(f.dtype as string));
  if (!isObject(x)) throw wrong("its recipe is none");
  const { input, labels, weights, zeros, loss, terms, logits, gradients, scores, passes } = x;
  if (!isNamed(input) || !Array.isArray(labels) || !labels.every(isFeed)) throw wrong("its recipe is fed nothing");
  if (![weights, zeros, gradients, scores].every(areNamed)) throw wrong("its recipe has no gradients");
  if (!isText(loss) || !isOptional(logits, isText)) throw wrong("its recipe has no loss");
  if (!Array.isArray(terms) || !terms.every(isText)) throw wrong("its recipe has no loss");
  if (!isCount(passes, 1e6)) throw wrong("its recipe has no passes");
  return x as unknown as PassRecipe;
}
