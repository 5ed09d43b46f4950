/**
 * A step of training: halp in the forms that it chooses and in the plain ones, and PyTorch where there is one.
 *
 *     npm run bench -- training [resnet20] [resnet50] [--rounds 9] [--threads 1] [--python python3]
 *
 * A step is batch in, forward, loss, backward, SGD with momentum and weight decay. Each contender is a process of its own, all with the same settings of
 * the allocator; they take turns step by step. PyTorch is Debian's package python3-torch or any other that the given
 * Python has; its column is left out where there is none.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpus } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { childTunables, quantileOf, spawnChild } from "../src/runtime/index.js";
import { subjects, type TrainingSubject } from "./training/networks.js";
import type { StepAnswer, StepTask } from "./training/step-child.js";

interface Contender extends Disposable {
  readonly name: string;
  run(what: "forward" | "step"): Promise<StepAnswer>;
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
    ...(torch ? [torch] : []),
  ];
  const times = new Map(contenders.map((c) => [c, { forward: [] as number[], step: [] as number[], bytes: 0 }]));
  try {
    for (let round = -1; round < rounds; round++)
      for (const what of ["forward", "step"] as const)
        for (const contender of contenders) {
          const { seconds, bytes } = await contender.run(what);
          const of = times.get(contender);
          if (!of) continue;
          of.bytes = bytes;
          // The first round asks for memory, and is not counted.
          if (round >= 0) of[what].push(seconds);
        }
  } finally {
    for (const c of contenders) c[Symbol.dispose]();
  }
  console.log(`${subject.name}, ${subject.dims.join("x")}`);
  console.log(
    `${"".padEnd(20)}${["forward", "step", "step/forward", "step to halp's", "memory"].map((h) => h.padStart(26)).join("")}`,
  );
  const own = times.get(contenders[0] as Contender)?.step ?? [];
  for (const [{ name }, { bytes, forward, step }] of times) {
    const ratio = quantileOf(step.toSorted(ascending), 0.5) / quantileOf(forward.toSorted(ascending), 0.5);
    const toOwn = spread(
      step.map((s, i) => s / (own[i] ?? Number.NaN)),
      (r) => r.toFixed(2),
    );
    const cells = [spread(forward, milliseconds), spread(step, milliseconds), ratio.toFixed(2), toOwn];
    console.log(
      `${name.padEnd(20)}${[...cells, `${(bytes / 1e6).toFixed(0)} MB`].map((c) => c.padStart(26)).join("")}`,
    );
  }
  if (!torch) console.log(`${python} has no torch: not compared with PyTorch.`);
  console.log("");
}

const ascending = (a: number, b: number): number => a - b;
const milliseconds = (s: number): string => `${(1000 * s).toFixed(0)} ms`;

/** Median, and the quartiles around it. */
function spread(samples: readonly number[], show: (x: number) => string): string {
  const sorted = samples.toSorted(ascending);
  const at = (q: number) => show(quantileOf(sorted, q));
  return `${at(0.5)} (${at(0.25)} to ${at(0.75)})`;
}

async function openHalp(name: string, task: StepTask): Promise<Contender> {
  const child = spawnChild(new URL("./training/step-child.js", import.meta.url));
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
