import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import type { Ask, Told } from "./solver/child.js";
import { contenders } from "./solver/contenders.js";
import { plotTimes } from "./solver/plot.js";
import { groupOf, type Instance, problemOf, suites } from "./solver/suites.js";

interface Row {
  readonly group: string;
  readonly contender: string;
  /** Variables and options of an instance of the group. */
  readonly options: number;
  readonly instances: number;
  readonly medianUs: number;
  readonly p99Us: number;
  readonly spreadUs: readonly [number, number];
  /** Median over instances of this contender's time over the first contender's, on the same instance. */
  readonly ratio: number | null;
  /** Answers below the best that any contender found. */
  readonly below: number;
}

function quantile(numbers: readonly number[], q: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

async function ask(child: ChildProcess, message: Ask): Promise<Told> {
  child.send(message);
  const [told] = await once(child, "message");
  return told as Told;
}

/**
 * `npm run bench -- solver [--suite pruning,joint,hard] [--seeds 3] [--only halp,highs] [--seconds 0.1] [--slow 1] [--group resnet50] [-o DIR]`:
 * every contender in a process of its own, taking turns instance by instance. An answer below the best one is counted, not
 * hidden.
 */
export async function benchSolver(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      suite: { type: "string", default: "pruning" },
      seeds: { type: "string", default: "3" },
      only: { type: "string", default: "halp,halp-json,halp-prepared,js-prepared,paper,highs" },
      seconds: { type: "string", default: "0.1" },
      slow: { type: "string", default: "1" },
      group: { type: "string", default: "" },
      output: { type: "string", short: "o", default: "build/bench-results" },
    },
  });
  const instances = values.suite
    .split(",")
    .flatMap((name) => suites[name]?.(Number(values.seeds)) ?? [])
    .filter((i) => groupOf(i).includes(values.group));
  const children = new Map(
    values.only.split(",").map((name) => [name, fork(new URL("./solver/child.js", import.meta.url), [name])]),
  );
  const taken = new Map<string, { instance: Instance; times: Map<string, number[]>; values: Map<string, number> }[]>();
  const refused = new Set<string>();
  for (const instance of instances) {
    const group = groupOf(instance);
    const done = taken.get(group) ?? [];
    taken.set(group, done);
    const times = new Map<string, number[]>();
    const found = new Map<string, number>();
    for (const [name, child] of children) {
      const contender = contenders[name]!;
      if (instance.suite === "joint" ? !contender.joint : !contender.unary) continue;
      // slow contenders: so many seeds only
      if (contender.slow === true && instance.seed > Number(values.slow)) continue;
      if (refused.has(`${group} ${name}`)) continue;
      const told = await ask(child, { instance, seconds: Number(values.seconds) });
      if ("error" in told) {
        refused.add(`${group} ${name}`);
        console.error(`${group}, ${name}: ${told.error}`);
        continue;
      }
      times.set(name, [...told.samples]);
      found.set(name, told.value);
    }
    done.push({ instance, times, values: found });
    if (process.stderr.isTTY) process.stderr.write(".");
  }
  for (const child of children.values()) child.kill();

  const rows: Row[] = [];
  for (const [group, done] of taken) {
    const first = done[0]!;
    const { problem } = problemOf(first.instance);
    const options = problem.variables.reduce((n, v) => n + v.values.length, 0);
    const base = [...first.times.keys()][0]!;
    for (const name of children.keys()) {
      const with_ = done.filter((d) => d.times.has(name));
      if (with_.length === 0) continue;
      const all = with_.flatMap((d) => d.times.get(name)!);
      const medians = with_.map((d) => quantile(d.times.get(name)!, 0.5));
      const relative = with_.flatMap((d, i) =>
        d.times.has(base) ? [medians[i]! / quantile(d.times.get(base)!, 0.5)] : [],
      );
      const below = with_.filter((d) => {
        const best = Math.max(...[...d.values].filter(([n]) => contenders[n]!.heuristic !== true).map(([, v]) => v));
        return d.values.get(name)! < best - 1e-9 * Math.abs(best);
      }).length;
      rows.push({
        group,
        contender: name,
        options,
        instances: with_.length,
        medianUs: quantile(medians, 0.5) * 1e6,
        p99Us: quantile(all, 0.99) * 1e6,
        spreadUs: [quantile(all, 0.05) * 1e6, quantile(all, 0.95) * 1e6],
        ratio: name === base ? null : quantile(relative, 0.5),
        below,
      });
    }
  }
  const machine = { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, node: process.version };
  console.log(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; seeds 1 to ${values.seeds}; times in us`);
  console.log("group | contender | instances | median | p99 | 5 % - 95 % | times the first | below the best");
  for (const r of rows)
    console.log(
      [
        r.group,
        r.contender,
        r.instances,
        r.medianUs.toFixed(1),
        r.p99Us.toFixed(1),
        r.spreadUs.map((x) => x.toFixed(1)).join(" - "),
        r.ratio === null ? "1" : r.ratio.toPrecision(4),
        r.below,
      ].join(" | "),
    );
  await mkdir(values.output, { recursive: true });
  await writeFile(`${values.output}/solver.json`, `${JSON.stringify({ machine, args: values, rows }, null, 2)}\n`);
  await writeFile(`${values.output}/solver.svg`, plotTimes(rows));
  console.log(`written: ${values.output}/solver.json, ${values.output}/solver.svg`);
}
