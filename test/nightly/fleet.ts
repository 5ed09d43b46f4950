/** Scores and accuracy by workers that are killed on the way, against those of one process. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { analyzeCoupling } from "../../src/coupling/index.js";
import { type DataSource, specForModel } from "../../src/evaluation/index.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import { type Crew, crewOf, halpVersion, localCrew, openFleet } from "../../src/jobs/index.js";
import { prefix, shardQueue } from "../../src/jobs/names.js";
import { connectRedis } from "../../src/jobs/redis.js";
import { readModel } from "../../src/onnx/index.js";
import { findOperator } from "../../src/operators/index.js";
import { uniform } from "../../src/runtime/index.js";
import { writeSmallData } from "../cli/small-data.js";
import { writeSmallModel } from "../cli/small-model.js";
import { leftInRedis, startRedis, startWorker, type WorkerProcess } from "../jobs/redis-server.js";

export interface FleetOptions {
  /** How many workers there are, rising; of so many as the last says one after the other is killed. */
  readonly workers: readonly number[];
  readonly kills: number;
  readonly seed: number;
  readonly images: number;
  readonly batchSize: number;
  /** Else a small network and images are drawn. */
  readonly stored?: StoredNetwork | undefined;
}

export interface StoredNetwork {
  readonly model: string;
  readonly data: string;
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
}

export interface FleetKills {
  /** Kills that met a worker at a task. */
  readonly kills: number;
  /** Tasks that were given out anew for it. */
  readonly givenAnew: number;
  readonly channels: number;
  /** Accuracy on the images. */
  readonly top1: number;
  /** Seconds of a round, which is scores and accuracy, in one process. */
  readonly seconds: number;
  /** With each number of workers. */
  readonly secondsWith: readonly number[];
  /** With the last number, of each round in which workers were killed. */
  readonly secondsKilled: readonly number[];
  readonly wrong: readonly string[];
}

interface Round {
  readonly importance: Float64Array;
  /** Scores and accuracy, to the last bit. */
  readonly bits: string;
  readonly top1: number;
  readonly seconds: number;
}

/** Longest pause before a kill. */
const mostPauseMs = 3000;

/** @param folder an empty one, for what is drawn */
async function roundsOf({ images, batchSize, seed, stored }: FleetOptions, folder: string) {
  const drawn: StoredNetwork = { model: join(folder, "net.onnx"), data: join(folder, "data") };
  const { model, data, ...normalize } = stored ?? drawn;
  if (!stored) {
    writeSmallModel(model, 32, ["N", 3, 32, 32]);
    mkdirSync(data);
    writeSmallData(data, images, 4, 32);
  }
  const analyzed = analyzeGraph(await readModel(model), findOperator, { batch: batchSize });
  const coupling = analyzeCoupling(analyzed, findOperator, {});
  const [dims = []] = analyzed.inputDims.values();
  const spec = specForModel(dims, { path: resolve(data), split: "train", ...normalize });
  const shared = { data: { kind: "stored", spec } satisfies DataSource, limit: images };
  const round = async (crew: Crew): Promise<Round> => {
    const began = performance.now();
    const scoring = { ...shared, analyzed, coupling, criterion: "taylor", shuffleSeed: seed, seed } as const;
    const { importance, batches } = await crew.score(scoring);
    const accuracy = await crew.evaluate({ ...shared, model: analyzed.model, batchSize });
    return {
      importance,
      bits: JSON.stringify([Buffer.from(importance.buffer).toString("base64"), batches, accuracy]),
      top1: accuracy.top1,
      seconds: (performance.now() - began) / 1000,
    };
  };
  return { dataRoot: spec.path, round };
}

/**
 * Scores and evaluates in this process, with each number of workers, and in further rounds until `kills` kills have met a worker
 * at a task. Needs redis-server.
 */
export async function killWorkers(options: FleetOptions, say: (line: string) => void): Promise<FleetKills> {
  const { kills, seed } = options;
  const random = uniform(seed);
  const folder = mkdtempSync(join(tmpdir(), "halp-fleet-"));
  const redis = await startRedis();
  const workers = new Map<string, WorkerProcess>();
  let started = 0;
  try {
    const { dataRoot, round } = await roundsOf(options, folder);
    await using connection = await connectRedis(redis.url);
    const { bullmq, client } = connection;
    const queue = new bullmq.Queue(shardQueue(halpVersion()), { connection: client, prefix });
    const events = new bullmq.QueueEvents(queue.name, { connection: connection.another(), prefix });
    let givenAnew = 0;
    events.on("stalled", () => givenAnew++);
    const expected = await round(localCrew());
    const isFlat = new Set(expected.importance).size === 1;
    const wrong = isFlat ? ["all channels have the same score"] : [];
    say(`one process: ${expected.seconds.toFixed(1)} s`);

    // A worker that is killed keeps its name for a while: the next has another.
    const start = async () => {
      const name = `w${++started}`;
      workers.set(name, await startWorker(redis.url, name, ["--data-root", dataRoot]));
    };
    await using fleet = await openFleet({ redis: redis.url });
    const crew = crewOf(fleet);
    /** Seconds of a round of the workers. */
    const check = async (what: string): Promise<number> => {
      const { bits, seconds } = await round(crew);
      if (bits !== expected.bits) wrong.push(`${what}: other scores or another accuracy than of one process`);
      const left = await leftInRedis(redis);
      if (left.length > 0) wrong.push(`${what}: Redis still holds ${left.join(", ")}`);
      say(`${what}: ${seconds.toFixed(1)} s`);
      return seconds;
    };
    const secondsWith: number[] = [];
    for (const count of options.workers) {
      while (workers.size < count) await start();
      secondsWith.push(await check(`${count} worker${count === 1 ? "" : "s"}`));
    }

    let killed = 0;
    let isOver = false;
    const ending = new AbortController();
    const killThem = async () => {
      while (killed < kills) {
        await sleep(random() * mostPauseMs, undefined, { signal: ending.signal });
        const names = [...workers.keys()];
        const name = names[Math.floor(random() * names.length)]!;
        const active = await queue.getActive();
        if (!active.some(({ processedBy }) => processedBy === name)) continue;
        await workers.get(name)?.kill();
        workers.delete(name);
        say(`${++killed} of ${kills} kills, ${wrong.length} wrong`);
        await start();
      }
    };
    const killing = killThem().finally(() => {
      isOver = true;
    });
    killing.catch(() => {});
    const secondsKilled: number[] = [];
    try {
      while (killed < kills && !isOver) secondsKilled.push(await check(`round ${secondsKilled.length + 1} with kills`));
    } finally {
      ending.abort();
      await Promise.allSettled([killing]);
    }
    await killing;
    await Promise.all([events.close(), queue.close()]);
    return {
      ...{ kills: killed, givenAnew, secondsWith, secondsKilled, wrong },
      ...{ channels: expected.importance.length, top1: expected.top1, seconds: expected.seconds },
    };
  } finally {
    for (const worker of workers.values()) await worker.kill();
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
