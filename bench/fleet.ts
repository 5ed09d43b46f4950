/**
 * What it costs to score through the queue instead of in one process, and what that comes to with many workers: one worker on
 * this machine against this process, by turns; then a simulation of more workers with the times that were measured.
 *
 *     npm run bench -- fleet [--rounds 7] [--task-seconds 0.5] [--tasks 12] [--workers 64]
 *
 * ResNet-20 with random weights, drawn images. Needs redis-server, bullmq and ioredis.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { analyzeCoupling } from "../src/coupling/index.js";
import { openSource, specForModel } from "../src/evaluation/index.js";
import { analyzeGraph } from "../src/graph/infer.js";
import { hashOf } from "../src/jobs/blobs.js";
import { taskSeconds as usualSeconds } from "../src/jobs/crew.js";
import { markOf } from "../src/jobs/data-access.js";
import { openFleet } from "../src/jobs/fleet.js";
import { openShards } from "../src/jobs/shards.js";
import type { ScoreTask } from "../src/jobs/tasks.js";
import { encodeModel } from "../src/onnx/index.js";
import { findOperator } from "../src/operators/index.js";
import { prepareScoring } from "../src/saliency/index.js";
import { bytesOf, npyBytes } from "../test/data/files.js";
import { noRedis, startRedis, startWorker } from "../test/jobs/redis-server.js";
import { median, quantile } from "./solver/statistics.js";
import { subjects } from "./training/networks.js";

const batchSize = 50;
const images = 5000;

export async function benchFleet(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: "string", default: "7" },
      "task-seconds": { type: "string", default: "0.5" },
      tasks: { type: "string", default: "12" },
      workers: { type: "string", default: "64" },
    },
  });
  if (noRedis) {
    console.log(`skipped: ${noRedis}`);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "halp-fleet-"));
  const redis = await startRedis();
  const worker = await startWorker(redis.url, "bench", ["--data-root", folder]);
  try {
    const found = await compare(
      folder,
      redis.url,
      Number(values.rounds),
      Number(values["task-seconds"]),
      Number(values.tasks),
    );
    report(found, Number(values.workers));
  } finally {
    await worker.kill();
    await redis.stop();
    rmSync(folder, { recursive: true });
  }
}

interface Compared {
  /** Batches a task. */
  readonly count: number;
  /** Seconds of a round, in this process and through the queue. */
  readonly here: readonly number[];
  readonly there: readonly number[];
  /** Seconds that the worker was at each task, by its own clock. */
  readonly taskSeconds: readonly number[];
  /** Seconds of this process's processor time, and of the worker's idleness, a task through the queue. */
  readonly clientSeconds: number;
  readonly idleSeconds: number;
}

async function compare(folder: string, url: string, rounds: number, wanted: number, tasks: number): Promise<Compared> {
  const subject = subjects[0]!;
  writeFileSync(join(folder, "x_train.npy"), npyBytes("|u1", [images, 3, 32, 32], randomBytes(images * 3072)));
  const labels = Int32Array.from({ length: images }, (_, i) => i % 10);
  writeFileSync(join(folder, "y_train.npy"), npyBytes("<i4", [images], bytesOf(labels)));
  const analyzed = analyzeGraph(subject.model(), findOperator, { inputDims: new Map([["x", [batchSize, 3, 32, 32]]]) });
  const dims = [...analyzed.inputDims.values()][0] ?? [];
  const coupling = analyzeCoupling(analyzed, findOperator, {});
  const data = { kind: "stored", spec: specForModel(dims, { path: folder, split: "train" }) } as const;
  const scoring = prepareScoring({ analyzed, coupling }, true);
  const [graph, recipe] = [encodeModel(scoring.model), Buffer.from(JSON.stringify(scoring.recipe))];
  const blobs = new Map([graph, recipe].map((bytes) => [hashOf(bytes), bytes as Uint8Array]));
  const shared = {
    ...{ data, mark: await markOf(await openSource(data)), batchSize, threads: 1, shuffleSeed: 1 },
    ...{ graph: hashOf(graph), recipe: hashOf(recipe) },
  };
  const shards = openShards();
  const score = (task: ScoreTask) => shards.score(task, (sha256) => blobs.get(sha256)!);
  await score({ ...shared, from: 0, count: 8 });
  const { seconds } = await score({ ...shared, from: 0, count: 8 });
  const count = Math.max(1, Math.round((8 * wanted) / seconds));
  const listed = Array.from({ length: tasks }, (_, i): ScoreTask => {
    return { ...shared, from: (i * count) % (images / batchSize - count), count };
  });
  const timed = async (work: () => Promise<void>): Promise<number> => {
    const began = performance.now();
    await work();
    return (performance.now() - began) / 1000;
  };
  const taskSeconds: number[] = [];
  let clientMicros = 0;
  await using fleet = await openFleet({ redis: url });
  const byQueue = async (isWarm: boolean) => {
    const open = [...listed];
    // From the first result on: before it graph and recipe travel, once.
    let before: NodeJS.CpuUsage | undefined;
    for await (const result of fleet.share("score", () => open.shift(), { blobs })) {
      before ??= process.cpuUsage();
      if (isWarm) taskSeconds.push(result.seconds);
    }
    const { user, system } = process.cpuUsage(before);
    if (isWarm) clientMicros += (user + system) / (tasks - 1);
  };
  await byQueue(false);
  const [here, there]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    const local = async () => {
      here.push(
        await timed(async () => {
          for (const task of listed) await score(task);
        }),
      );
    };
    const remote = async () => void there.push(await timed(() => byQueue(true)));
    for (const work of round % 2 === 0 ? [local, remote] : [remote, local]) await work();
    console.error(`round ${round + 1} of ${rounds}`);
  }
  const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
  return {
    ...{ count, here, there, taskSeconds },
    clientSeconds: clientMicros / 1e6 / rounds,
    idleSeconds: Math.max(0, (sum(there) - sum(taskSeconds)) / taskSeconds.length),
  };
}

function report({ count, here, there, taskSeconds, clientSeconds, idleSeconds }: Compared, most: number): void {
  const paired = there.map((seconds, i) => seconds / here[i]!);
  const ms = (seconds: number) => `${(1000 * seconds).toFixed(1)} ms`;
  const percent = (x: number) => `${(100 * x).toFixed(1)} %`;
  console.log(`tasks of ${count} batches of ${batchSize}: ${ms(median(taskSeconds))} each`);
  console.log(
    `through the queue against one process: ${(median(there) / median(here)).toFixed(3)} (ratio of medians of ${here.length} rounds; quartiles of the paired ratios ${quantile(paired, 0.25).toFixed(3)} to ${quantile(paired, 0.75).toFixed(3)})`,
  );
  console.log(`a task costs this process ${ms(clientSeconds)}, and its worker ${ms(idleSeconds)} between two of them`);
  const usual = taskSeconds.map((seconds) => (seconds * usualSeconds) / median(taskSeconds));
  console.log(
    `\nsimulated: share of the workers' time that is work, with such tasks and with those of ${usualSeconds} s that halp makes`,
  );
  for (let workers = 1; workers <= most; workers *= 4) {
    const share = (times: readonly number[]) => {
      const { seconds, work } = simulate(workers, tasksEach * workers, times, clientSeconds, idleSeconds);
      return percent(work / (workers * seconds)).padStart(8);
    };
    console.log(
      `${String(workers).padStart(4)} workers, ${tasksEach * workers} tasks: ${share(taskSeconds)} ${share(usual)}`,
    );
  }
}

/** Tasks for each worker in a simulation. */
const tasksEach = 40;

/**
 * Tasks dealt out by one process to workers that are alike: each takes a time that was measured, by turns, and its worker idles
 * as measured; the process needs its time for each, one after another.
 */
function simulate(
  workers: number,
  tasks: number,
  times: readonly number[],
  clientSeconds: number,
  idleSeconds: number,
) {
  const freeAt = new Float64Array(workers);
  let clientFreeAt = 0;
  let work = 0;
  for (let i = 0; i < tasks; i++) {
    let first = 0;
    for (let w = 1; w < workers; w++) if (freeAt[w]! < freeAt[first]!) first = w;
    // Two tasks lie with a worker at once: the process deals one out while the one before is done.
    const seconds = times[i % times.length]!;
    clientFreeAt += clientSeconds;
    freeAt[first] = Math.max(freeAt[first]!, clientFreeAt) + idleSeconds + seconds;
    work += seconds;
  }
  return { seconds: Math.max(...freeAt), work };
}
