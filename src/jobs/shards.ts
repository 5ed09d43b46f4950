/** Batches scored and evaluated: what the process does that a worker keeps for it. */
import { setImmediate } from "node:timers/promises";
import type { Dataset } from "../data/index.js";
import { HalpError } from "../errors.js";
import { countRanks, type DataSource, openSource } from "../evaluation/index.js";
import { openPasser, packPass, totalOf } from "../finetune/index.js";
import { parseJson } from "../json.js";
import { createSession } from "../runtime/index.js";
import { openScorer } from "../saliency/index.js";
import { checkPassRecipe, checkRecipe, wrong } from "./check-task.js";
import { checkMark } from "./data-access.js";
import type { DataMark, EvaluateResult, EvaluateTask, PassResult, PassTask, ScoreResult, ScoreTask } from "./tasks.js";

export type Blob = (sha256: string) => Uint8Array;

export interface Shards {
  score(task: ScoreTask, blob: Blob): Promise<ScoreResult>;
  evaluate(task: EvaluateTask, blob: Blob): Promise<EvaluateResult>;
  /** @returns the result, and what its `packed` is to stand for */
  pass(task: PassTask, blob: Blob): Promise<[Omit<PassResult, "packed">, Uint8Array]>;
}

/** Keeps the data and the session of the last shard for the next. */
export function openShards(): Shards {
  const dataset = keepLast(async ([source, mark]: [DataSource, DataMark]): Promise<Dataset> => {
    const opened = await openSource(source);
    await checkMark(opened, mark);
    return opened;
  });
  const session = keepLast(async (open: () => Disposable) => open());
  const sessionOf = async <S extends Disposable>(key: unknown, open: () => S): Promise<S> =>
    (await session(JSON.stringify(key), open)) as S;
  return {
    score: async (task, blob) => {
      const data = await dataset(JSON.stringify([task.data, task.mark]), [task.data, task.mark]);
      const began = performance.now();
      const scorer = await sessionOf(["score", task.graph, task.recipe, task.threads], () =>
        openScorer(blob(task.graph), readJson(blob(task.recipe), checkRecipe), task.threads),
      );
      const scores: (string | null)[] = [];
      for await (const batch of data.batches({ ...batchesOf(task), shuffleSeed: task.shuffleSeed, dropLast: true })) {
        await setImmediate();
        const scored = scorer.score(batch, task.from + scores.length);
        scores.push(scored ? Buffer.from(scored.buffer).toString("base64") : null);
      }
      if (scores.length !== task.count) throw tooFew(data, task);
      return { scores, seconds: (performance.now() - began) / 1000 };
    },
    evaluate: async (task, blob) => {
      const data = await dataset(JSON.stringify([task.data, task.mark]), [task.data, task.mark]);
      const began = performance.now();
      const { model, threads, limit = Number.POSITIVE_INFINITY } = task;
      const own = await sessionOf(["evaluate", model, threads], () => createSession(blob(model), { threads }));
      const { batchSize, from, limit: end } = batchesOf(task);
      const counts = await countRanks({ session: own, dataset: data, batchSize, from, limit: Math.min(end, limit) });
      return { counts, seconds: (performance.now() - began) / 1000 };
    },
    pass: async (task, blob) => {
      const data = await dataset(JSON.stringify([task.data, task.mark]), [task.data, task.mark]);
      const recipe = readJson(blob(task.recipe), checkPassRecipe);
      const passer = await sessionOf(["pass", task.graph, task.recipe, task.threads], () =>
        openPasser(blob(task.graph), recipe, task.threads),
      );
      const weights = floatsIn(blob(task.weights), totalOf(recipe.weights));
      const { batchSize, from } = task;
      for await (const batch of data.batches({ batchSize, from, ...task.samples, dropLast: true })) {
        await setImmediate();
        const pass = passer.pass(batch, weights);
        const { loss, terms, correct } = pass;
        const packed = packPass(pass);
        return [
          { loss, terms, ...(correct === undefined ? {} : { correct }) },
          new Uint8Array(packed.buffer, packed.byteOffset, packed.byteLength),
        ];
      }
      throw tooFew(data, task);
    },
  };
}

/** @throws HalpError HALP_JOB_TASK */
function readJson<R>(bytes: Uint8Array, check: (x: unknown) => R): R {
  try {
    return check(parseJson(Buffer.from(bytes).toString()));
  } catch (cause) {
    throw cause instanceof HalpError ? cause : wrong("its recipe is no JSON");
  }
}

/** @throws HalpError HALP_JOB_TASK */
function floatsIn(bytes: Uint8Array, count: number): Float32Array {
  if (bytes.length !== 4 * count) throw wrong("its weights are of another network");
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

function batchesOf({ batchSize, from, count }: ScoreTask | EvaluateTask) {
  return { batchSize, from, limit: (from + count) * batchSize };
}

function tooFew({ name }: Dataset, { from, count }: ScoreTask | PassTask): HalpError {
  return new HalpError("HALP_JOB_DATA", `${name} holds fewer than ${from + count} batches.`, { exitCode: 1 });
}

/** What `open` opened last, as long as the key stays the same. */
function keepLast<A, R>(open: (argument: A) => Promise<R>): (key: string, argument: A) => Promise<R> {
  let kept: { readonly key: string; readonly value: R } | undefined;
  return async (key, argument) => {
    if (kept?.key === key) return kept.value;
    (kept?.value as Partial<Disposable> | undefined)?.[Symbol.dispose]?.();
    kept = undefined;
    const value = await open(argument);
    kept = { key, value };
    return value;
  };
}
