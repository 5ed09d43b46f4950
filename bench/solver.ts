import { parseArgs } from "node:util";
import { benchBars } from "./solver/bars.js";
import { contenderNamed } from "./solver/contenders/all.js";
import { contest, type Heat, type Timed } from "./solver/contest.js";
import { groupOf, type Instance, optionsOf, ratios, type SuiteName, suites } from "./solver/instances/suites.js";
import { describeMachine, loadNow, machineLine } from "./solver/machine.js";
import { plotTimes } from "./solver/plot.js";
import { Progress } from "./solver/progress.js";
import { type Standing, standings, standingsTable, wrongAnswers } from "./solver/standings.js";
import { stopOnInterrupt } from "./solver/stop.js";
import { record, writeWhole } from "./solver/write-results.js";

const usage = `usage: npm run bench -- solver [--suite pruning,joint,measured,hard,agree] [--only NAME,...] [--group TEXT]
         [--seeds 2] [--slow 1] [--seconds 0.1] [--limit 30] [-o DIR]
       npm run bench -- solver --bars [--quick] [--only BAR,...] [-o DIR]

Suites: every contender in a process of its own, taking turns instance by instance; its answer is checked, then timed with
Benchmark.js. --slow: seeds for contenders that take a second a solve (those that take tens get one instance a group).
--limit: seconds after which a solve may give up. Ctrl-C writes what was measured so far.
--bars: everything the solver promises, in one table.`;

/** `npm run bench -- solver`: see `usage`. */
export async function benchSolver(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      bars: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
      suite: { type: "string", default: "pruning,measured" },
      seeds: { type: "string", default: "2" },
      slow: { type: "string", default: "1" },
      only: { type: "string" },
      seconds: { type: "string", default: "0.1" },
      limit: { type: "string", default: "30" },
      group: { type: "string", default: "" },
      output: { type: "string", short: "o", default: "build/bench-results" },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  if (values.bars) {
    const only = values.only?.split(",");
    await benchBars({ quick: values.quick, output: values.output, ...(only === undefined ? {} : { only }) });
    return;
  }
  const names = (
    values.only ??
    "halp,halp-again,halp-json,halp-prepared,js,js-again,paper,dense,highs,glpk,yalps,javascript-lp-solver"
  ).split(",");
  for (const name of names) contenderNamed(name);
  const instances = values.suite.split(",").flatMap((name) => {
    if (!Object.hasOwn(suites, name)) throw new Error(`there is no suite "${name}"\n${usage}`);
    return suites[name as SuiteName](Number(values.seeds)).filter((i) => groupOf(i).includes(values.group));
  });
  const heats = heatsOf(instances, names, Number(values.slow));
  const machine = describeMachine();
  const stop = stopOnInterrupt();
  const progress = new Progress();
  const startedAt = new Date().toISOString();
  const all: Timed[] = await contest(heats, {
    seconds: Number(values.seconds),
    limitSeconds: Number(values.limit),
    stop,
    progress: (done, of, { group, contender }) => progress.tell(`${done} of ${of}: ${group}, ${contender}`),
  });
  progress.end();
  stop.close();
  const rows: Standing[] = standings(all, names);
  const wrong = wrongAnswers(all);
  console.log(`${machineLine(machine)}; seeds 1 to ${values.seeds}${stop.stopped ? "; interrupted" : ""}\n`);
  console.log(standingsTable(rows));
  for (const line of wrong) console.log(line);
  const whole = {
    format: "halp.bench-solver/1",
    args: values,
    startedAt,
    complete: !stop.stopped,
    machine,
    loadAfter: loadNow(),
    standings: rows,
    wrong,
    records: all.map(record),
  };
  const json = writeWhole(values.output, "solver.json", `${JSON.stringify(whole, null, 1)}\n`);
  const svg = writeWhole(values.output, "solver.svg", plotTimes(rows, "Time of one solve against size"));
  console.log(`\nwritten: ${json}, ${svg}`);
}

/** Slow contenders get few seeds, crawling ones a single instance of a group, and none where it is too large for them. */
function heatsOf(instances: readonly Instance[], names: readonly string[], slowSeeds: number): Heat[] {
  const seen = new Set<string>();
  const sizes = new Map<string, number>();
  return instances.map((instance) => {
    const group = groupOf(instance);
    const first = !seen.has(group) && (!("ratio" in instance) || instance.ratio === ratios[2]);
    if (first) seen.add(group);
    const options = sizes.get(group) ?? optionsOf(instance);
    sizes.set(group, options);
    const contenders = names.filter((name) => {
      const { pace, mostOptions = Number.POSITIVE_INFINITY } = contenderNamed(name);
      if (options > mostOptions) {
        if (first) console.error(`${group}: ${name} is not asked about more than ${mostOptions} options`);
        return false;
      }
      return pace === undefined || (pace === "slow" ? instance.seed <= slowSeeds : first);
    });
    return { instance, contenders };
  });
}
