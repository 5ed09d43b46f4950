import { againstHighs, everyChoice } from "./bars/agreement.js";
import type { BarGroup, BarResult } from "./bars/bar.js";
import { batch, binding } from "./bars/calls.js";
import { jointHighs, jointProven, severalDevices } from "./bars/joint.js";
import { oneShot, wide } from "./bars/one-shot.js";
import { frontier, hard } from "./bars/search.js";
import { sizes } from "./bars/sizes.js";
import { contenders } from "./contenders/all.js";
import type { Timed } from "./contest.js";
import { describeMachine, loadNow, machineLine } from "./machine.js";
import { plotTimes } from "./plot.js";
import { Progress } from "./progress.js";
import { standings, standingsTable, wrongAnswers } from "./standings.js";
import { stopOnInterrupt } from "./stop.js";
import { record, writeWhole } from "./write-results.js";

/** In the order they run: short and telling ones first, the longest last. */
const groups: readonly BarGroup[] = [
  sizes,
  everyChoice,
  binding,
  batch,
  oneShot,
  wide,
  hard,
  frontier,
  jointProven,
  severalDevices,
  againstHighs,
  jointHighs,
];

export interface BarOptions {
  readonly quick: boolean;
  /** Names of groups; default all. */
  readonly only?: readonly string[];
  /** Folder for the JSON and the SVG. */
  readonly output: string;
}

interface Done extends BarResult {
  readonly group: string;
  readonly seconds: number;
  /** Load when the group began. */
  readonly load: number;
}

function barsTable(done: readonly Done[]): string {
  const lines = ["| bar | measured | at least | reached | instances |", "| --- | --- | --- | --- | --- |"];
  for (const r of done) {
    const reached = r.reached === null ? "not told" : r.reached ? "yes" : "NO";
    lines.push(`| ${[r.bar, r.measured, r.atLeast, reached, r.instances].join(" | ")} |`);
  }
  for (const r of done) if (r.notes.length > 0) lines.push("", `${r.bar}:`, ...r.notes.map((n) => `- ${n}`));
  return lines.join("\n");
}

/** Measures every bar and prints one table. Exit code 1 if a bar was not reached. */
export async function benchBars({ quick, only, output }: BarOptions): Promise<void> {
  for (const name of only ?? [])
    if (!groups.some((g) => g.name === name))
      throw new Error(`there is no bar "${name}"; they are: ${groups.map((g) => g.name).join(", ")}`);
  const chosen = groups.filter((g) => only?.includes(g.name) ?? true);
  const machine = describeMachine();
  const stop = stopOnInterrupt();
  const progress = new Progress();
  const startedAt = new Date().toISOString();
  const timed: Timed[] = [];
  const done: Done[] = [];
  const about = chosen.reduce((sum, g) => sum + g.seconds[quick ? 1 : 0], 0);
  progress.tell(`${chosen.length} groups of bars, some ${Math.ceil(about / 60)} minutes on an idle machine`, true);
  // in the order of the table of contenders: ratios are to halp's own
  const asked = (): string[] => Object.keys(contenders).filter((name) => timed.some((t) => t.contender === name));
  const write = (complete: boolean): string[] => {
    const rows = standings(timed, asked());
    const whole = {
      format: "halp.bench-solver-bars/1",
      args: { quick, only: only ?? null },
      startedAt,
      complete,
      machine,
      loadAfter: loadNow(),
      bars: done,
      standings: rows,
      wrong: wrongAnswers(timed),
      records: timed.map(record),
    };
    return [
      writeWhole(output, "solver-bars.json", `${JSON.stringify(whole, null, 1)}\n`),
      writeWhole(output, "solver-bars.svg", plotTimes(rows, "Time of one solve against size")),
    ];
  };
  for (const group of chosen) {
    if (stop.stopped) break;
    const start = performance.now();
    const load = loadNow();
    progress.tell(`${group.name}: some ${group.seconds[quick ? 1 : 0]} s`, true);
    const results = await group.run({ quick, stop, timed, tell: (text) => progress.tell(`${group.name}: ${text}`) });
    const seconds = Math.round((performance.now() - start) / 100) / 10;
    done.push(...results.map((r) => ({ ...r, group: group.name, seconds, load })));
    for (const r of results) progress.tell(`${r.bar}: ${r.measured}`, true);
    write(false);
  }
  progress.end();
  stop.close();
  const written = write(!stop.stopped);
  console.log(`${machineLine(machine)}${quick ? "; quick" : ""}${stop.stopped ? "; interrupted" : ""}\n`);
  console.log(barsTable(done));
  if (timed.length > 0) {
    console.log(`\n${standingsTable(standings(timed, asked()))}`);
    for (const line of wrongAnswers(timed)) console.log(line);
  }
  console.log(`\nwritten: ${written.join(", ")}`);
  if (done.some((r) => r.reached === false)) process.exitCode = 1;
}
