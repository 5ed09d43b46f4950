import { once } from "node:events";
import { cpus } from "node:os";
import { Worker } from "node:worker_threads";
import {
  createFlatSolver,
  createSolver,
  createSolverPool,
  type FlatProblem,
  verify,
} from "../../../src/solver/index.js";
import { toFlat, toSolution } from "../contenders/halp.js";
import { type Instance, problemOf, ratios, seedsTo } from "../instances/suites.js";
import { median, quantile } from "../statistics.js";
import type { BareWork } from "./bare-worker.js";
import { every, type Tell } from "./tell.js";

export interface Throughput {
  readonly problems: number;
  readonly rounds: number;
  /** Solves a second on one thread: typed arrays, and halp.problem/1. */
  readonly flat: number;
  readonly flatSpread: readonly [number, number];
  readonly json: number;
  /** Solves a second with so many workers, and times the one thread: medians over rounds. */
  readonly workers: number;
  readonly pool: number;
  readonly poolRatio: number;
  readonly poolRatioSpread: readonly [number, number];
  /** The same for problems in shared memory, which need no copying. */
  readonly shared: number;
  readonly sharedRatio: number;
  /** CPU time of a solve by the pool, sending and receiving included, over that on one thread. 2 / this is its ceiling on two cores. */
  readonly poolCpu: number;
  readonly sharedCpu: number;
  /** As many threads that exchange nothing, each with its share of the problems, times the one thread: what the cores give. */
  readonly bareRatio: number;
  /** Cores that other processes kept busy meanwhile: what the workers could not have. */
  readonly coresTaken: number;
}

/** Milliseconds of work done by all cores since the machine started. */
function busyMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
}

/** The problems with all their arrays in one shared memory, as the pool wants it to copy nothing. */
function inSharedMemory(problems: readonly FlatProblem[]): FlatProblem[] {
  const padded = (ints: number): number => (ints + 1) & ~1;
  const bytes = problems.reduce((n, p) => n + 4 * padded(p.offset.length) + 16 * p.value.length, 0);
  const memory = new SharedArrayBuffer(bytes);
  let at = 0;
  return problems.map((p) => {
    const offset = new Int32Array(memory, at, p.offset.length);
    at += 4 * padded(p.offset.length);
    const value = new Float64Array(memory, at, p.value.length);
    at += 8 * p.value.length;
    const latency = new Float64Array(memory, at, p.latency.length);
    at += 8 * p.latency.length;
    offset.set(p.offset);
    value.set(p.value);
    latency.set(p.latency);
    return { offset, value, latency };
  });
}

/** Threads that each have their share of the problems from the start. */
async function bareWorkers(problems: BareWork["problems"], workers: number): Promise<Worker[]> {
  const url = new URL("./bare-worker.js", import.meta.url);
  return Promise.all(
    Array.from({ length: workers }, async (_, own) => {
      const worker = new Worker(url, { workerData: { problems, workers, own } satisfies BareWork });
      await once(worker, "message");
      return worker;
    }),
  );
}

/** One round of all of them. */
async function runBare(workers: readonly Worker[]): Promise<void> {
  await Promise.all(
    workers.map((worker) => {
      const answered = once(worker, "message");
      worker.postMessage(null);
      return answered;
    }),
  );
}

/** Different problems like ResNet-50's, each solved once a round: on this thread, and by a pool. They take turns. */
export async function throughput(
  {
    problems: count,
    rounds,
    workers,
  }: { readonly problems: number; readonly rounds: number; readonly workers: number },
  tell: Tell<Throughput>,
): Promise<Throughput> {
  const instances = seedsTo(count).map(
    (seed): Instance => ({ suite: "pruning", network: "resnet50", seed, ratio: ratios[seed % ratios.length]! }),
  );
  const requests = instances.map((instance) => problemOf(instance));
  const solver = createFlatSolver();
  const flat = requests.map(({ problem, budget }) => ({ problem: toFlat(problem), budget }));
  const outs = flat.map(({ problem, budget }) => solver.solve(problem, budget));
  outs.forEach((out, i) => {
    if (out.status !== "optimal") throw new Error(`problem ${i} ended as ${out.status}`);
    verify(requests[i]!.problem, toSolution(requests[i]!.problem, out), requests[i]!.budget);
  });
  const plain = createSolver();
  await using pool = await createSolverPool({ workers });
  const answers = await pool.solveFlatBatch(flat);
  answers.forEach((answer, i) => {
    if (answer.value !== outs[i]!.value) throw new Error(`a worker found another value for problem ${i}`);
  });
  const inShared = inSharedMemory(flat.map((f) => f.problem)).map((problem, i) => ({
    problem,
    budget: flat[i]!.budget,
  }));
  const bare = await bareWorkers(inShared, workers);
  for (let k = 0; k < 3; k++) {
    await runBare(bare);
    await pool.solveFlatBatch(flat);
    await pool.solveFlatBatch(inShared);
  }
  const rates = {
    shared: [] as number[],
    sharedRatio: [] as number[],
    flat: [] as number[],
    json: [] as number[],
    pool: [] as number[],
    ratio: [] as number[],
    bare: [] as number[],
  };
  const cores = { taken: [] as number[] };
  const cpu: number[] = [];
  const sharedCpu: number[] = [];
  const result = (): Throughput => ({
    problems: count,
    rounds: rates.ratio.length,
    flat: median(rates.flat),
    flatSpread: [quantile(rates.flat, 0.05), quantile(rates.flat, 0.95)],
    json: median(rates.json),
    workers,
    pool: median(rates.pool),
    poolRatio: median(rates.ratio),
    shared: median(rates.shared),
    sharedRatio: median(rates.sharedRatio),
    poolRatioSpread: [quantile(rates.ratio, 0.05), quantile(rates.ratio, 0.95)],
    poolCpu: median(cpu),
    sharedCpu: median(sharedCpu),
    bareRatio: median(rates.bare),
    coresTaken: median(cores.taken),
  });
  const due = every(2000);
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    let start = performance.now();
    for (let i = 0; i < flat.length; i++) solver.solveInto(flat[i]!.problem, flat[i]!.budget, outs[i]!);
    const one = (1000 * count) / (performance.now() - start);
    const alone = process.cpuUsage(before);
    const busy = busyMs();
    const own = process.cpuUsage();
    start = performance.now();
    await pool.solveFlatBatch(flat);
    const wall = performance.now() - start;
    const spent = process.cpuUsage(own);
    cores.taken.push(Math.max(0, (busyMs() - busy - (spent.user + spent.system) / 1000) / wall));
    cpu.push((spent.user + spent.system) / (alone.user + alone.system));
    const two = (1000 * count) / wall;
    const unshared = process.cpuUsage();
    start = performance.now();
    await pool.solveFlatBatch(inShared);
    const apart = (1000 * count) / (performance.now() - start);
    const uncopied = process.cpuUsage(unshared);
    sharedCpu.push((uncopied.user + uncopied.system) / (alone.user + alone.system));
    start = performance.now();
    await runBare(bare);
    rates.bare.push((1000 * count) / (performance.now() - start) / one);
    rates.shared.push(apart);
    rates.sharedRatio.push(apart / one);
    if (round % 4 === 0) {
      start = performance.now();
      for (const { problem, budget } of requests) plain.solve(problem, budget);
      rates.json.push((1000 * count) / (performance.now() - start));
    }
    rates.flat.push(one);
    rates.pool.push(two);
    rates.ratio.push(two / one);
    if (due()) tell(result(), `round ${round + 1} of ${rounds}, ${Math.round(one)} solves a second`);
  }
  await Promise.all(bare.map((worker) => worker.terminate()));
  return result();
}
