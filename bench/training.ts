/**
 * A step of training: halp in the forms that it chooses and in the plain ones, and PyTorch where there is one.
 *
 *     npm run bench -- training [resnet20] [resnet50] [--rounds 9] [--threads 1] [--python python3]
 *
 * A step is batch in, forward, loss, backward, SGD with momentum and weight decay. Each contender is a process of its own,
 * all with the same settings of the allocator, but for large networks that recompute, which have those of their trainings;
 * they take turns step by step. PyTorch is Debian's package python3-torch or any other that the given Python has; its column
 * is left out where there is none.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpus } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { returnsMemory } from "../src/finetune/index.js";
import { childTunables, quantileOf, spawnChild } from "../src/runtime/index.js";
import { subjects, type TrainingSubject } from "./training/networks.js";
import type { StepAnswer, StepTask } from "./training/step-child.js";

/** Forward as in inference, forward as in training up to the loss, a whole step. */
const works = ["forward", "trainingForward", "step"] as const;
type Work = (typeof works)[number];

interface Contender extends Disposable {
  readonly name: string;
  run(what: Work): Promise<StepAnswer>;
}

export async function benchTraining(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "9" },
      threads: { type: "string", default: "1" },
      python: { type: "string", default: "python3" },
    },
  });
  const [rounds, threads] = [Number(values.rounds), Number(values.threads)];
  const names = positionals.length > 0 ? positionals : subjects.map((s) => s.name);
  console.log(`${cpus()[0]?.model}, Node ${process.version}, ${threads} thread(s), ${rounds} rounds by turns\n`);
  for (const subject of subjects.filter((s) => names.includes(s.name)))
    await compare(subject, rounds, threads, values.python);
}

async function compare(subject: TrainingSubject, rounds: number, threads: number, python: string): Promise<void> {
  const torch = await openTorch(subject, threads, python);
  const contenders = [
    await openHalp("halp", { name: subject.name, threads, plain: false }),
    await openHalp("halp, plain forms", { name: subject.name, threads, plain: true }),
    await openHalp("halp, recomputing", { name: subject.name, threads, plain: false, recompute: true }),
    ...(torch ? [torch] : []),
  ];
  const times = new Map(
    contenders.map((c) => [
      c,
      { seconds: { forward: [] as number[], trainingForward: [] as number[], step: [] as number[] }, bytes: 0 },
    ]),
  );
  try {
    // Memory is that of steps alone: nothing else was run by then. The second may ask for more than the first.
    for (const [contender, of] of times) for (let i = 0; i < 2; i++) of.bytes = (await contender.run("step")).bytes;
    for (let round = -1; round < rounds; round++)
      for (const what of works)
        for (const contender of contenders) {
          const { seconds } = await contender.run(what);
          // The first round asks for memory, and is not counted.
          if (round >= 0) times.get(contender)?.seconds[what].push(seconds);
        }
  } finally {
    for (const c of contenders) c[Symbol.dispose]();
  }
  console.log(`${subject.name}, ${subject.dims.join("x")}`);
  const heads = [
    "forward",
    "forward in training",
    "step",
    "step/forward",
    "to that in training",
    "step to halp's",
    "memory",
  ];
  console.log(`${"".padEnd(20)}${heads.map((h) => h.padStart(width)).join("")}`);
  const medianOf = (seconds: readonly number[]) => quantileOf(seconds.toSorted(ascending), 0.5);
  const own = times.get(contenders[0] as Contender)?.seconds.step ?? [];
  for (const [{ name }, { bytes, seconds }] of times) {
    const to = (what: Work) => (medianOf(seconds.step) / medianOf(seconds[what])).toFixed(2);
    const toOwn = spread(
      seconds.step.map((s, i) => s / (own[i] ?? Number.NaN)),
      (r) => r.toFixed(2),
    );
    const cells = [
      ...works.map((what) => spread(seconds[what], milliseconds)),
      ...[to("forward"), to("trainingForward"), toOwn, `${(bytes / 1e6).toFixed(0)} MB`],
    ];
    console.log(`${name.padEnd(20)}${cells.map((c) => c.padStart(width)).join("")}`);
  }
  if (!torch) console.log(`${python} has no torch: not compared with PyTorch.`);
  console.log("");
}

const width = 31;
const ascending = (a: number, b: number): number => a - b;
const milliseconds = (s: number): string => `${(1000 * s).toFixed(0)} ms`;

/** Median, and the quartiles around it. */
function spread(samples: readonly number[], show: (x: number) => string): string {
  const sorted = samples.toSorted(ascending);
  const at = (q: number) => show(quantileOf(sorted, q));
  return `${at(0.5)} (${at(0.25)} to ${at(0.75)})`;
}

async function openHalp(name: string, task: StepTask): Promise<Contender> {
  const model = subjects.find((s) => s.name === task.name)?.model();
  const child = spawnChild(new URL("./training/step-child.js", import.meta.url), {
    freeMemory: model && returnsMemory(task, model) ? "return" : "keep",
  });
  await child.request("open", task);
  return { name, run: (what) => child.request(what), [Symbol.dispose]: () => child.dispose() };
}

async function openTorch(subject: TrainingSubject, threads: number, python: string): Promise<Contender | undefined> {
  const script = fileURLToPath(new URL("../../bench/training/torch_step.py", import.meta.url));
  const child = spawn(python, [script, subject.name, `${subject.dims[0]}`, `${threads}`], {
    env: { ...process.env, GLIBC_TUNABLES: childTunables },
    stdio: ["pipe", "pipe", "ignore"],
  });
  child.on("error", () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = once(child, "close").catch(() => undefined);
  const first = await Promise.race([lines.next(), ended]);
  if (!first || Array.isArray(first) || first.done) return undefined;
  const [version = ""] = String(first.value).split(" ");
  return {
    name: `PyTorch ${version}`,
    async run(what) {
      child.stdin.write(`${what}\n`);
      const answer = await lines.next();
      if (answer.done) throw new Error("PyTorch ended.");
      const [seconds = 0, bytes = 0] = String(answer.value).split(" ").map(Number);
      return { seconds, bytes };
    },
    [Symbol.dispose]: () => child.kill(),
  };
}
