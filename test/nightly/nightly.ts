/**
 * `npm run nightly [-- CHECK ...] [--count N] [--seed S]`: what takes too long for the tests, with the figures that
 * docs/guarantees.md tells. `npm run fuzz` is apart. `fleet` takes a network of yours, too:
 * `--model FILE --data DIR [--mean M,M,M --std S,S,S]`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { summarize } from "../../src/runtime/index.js";
import { noRedis } from "../jobs/redis-server.js";
import { differential } from "./differential.js";
import { killWorkers, type StoredNetwork } from "./fleet.js";
import { killRuns } from "./kills.js";
import { type PoolLoad, poolLoad } from "./pool-load.js";

interface Outcome {
  readonly line: string;
  readonly wrong: readonly string[];
}

interface Check {
  /** What a count counts, and how many are done unless told otherwise. */
  readonly unit: string;
  readonly count: number;
  readonly run: (count: number, seed: number, stored?: StoredNetwork) => Promise<Outcome>;
  /** Why it cannot be done here; false where it can. */
  readonly skip?: string | false;
}

const say = (line: string) => console.log(line);
const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

const scoredByFleet = { workers: [1, 2, 4], images: 5000, batchSize: 50 };
const underLoad = { callers: 24, workers: 2, requestsPerKill: 2000, maxOpen: 2000 };

function poolOutcome(load: PoolLoad): Outcome {
  const { answered, stopped, refused, repeated, killed, mostOpen, wrong, seconds, residentBytes } = load;
  return {
    line:
      `${answered} requests answered (${stopped} stopped by a limit), ${refused} refused, ${repeated} sent again, ` +
      `${killed} workers killed, ${mostOpen} open at most, ${mebibytes(Math.max(...residentBytes))} at most, ${seconds.toFixed(0)} s`,
    wrong,
  };
}

const checks: Readonly<Record<string, Check>> = {
  differential: {
    unit: "problems",
    count: 5000,
    run: async (count, seed) => {
      const { problems, joint, infeasible, givenUp, wrong } = await differential(count, seed, say);
      const line = `${problems - givenUp} problems (${joint} joint, ${infeasible} infeasible) as HiGHS solves them`;
      return { line: givenUp > 0 ? `${line}; ${givenUp} more that it does not end` : line, wrong };
    },
  },
  pool: {
    unit: "requests",
    count: 100_000,
    run: async (requests, seed) => poolOutcome(await poolLoad({ ...underLoad, requests, seed })),
  },
  soak: {
    unit: "seconds",
    count: 600,
    run: async (seconds, seed) => {
      const load = await poolLoad({ ...underLoad, requests: 0, seconds, seed });
      // The first fifth is for caches and compilers to fill.
      const { residentBytes } = load;
      const fifth = Math.floor(residentBytes.length / 5);
      const { median: early } = summarize(residentBytes.slice(fifth, 2 * fifth));
      const { median: late } = summarize(residentBytes.slice(-fifth));
      const { line, wrong } = poolOutcome(load);
      const grown = late / early;
      const leak = grown > 1.1 ? [`memory grew from ${mebibytes(early)} to ${mebibytes(late)}`] : [];
      return {
        line: `${line}; ${mebibytes(early)} in the second fifth of the time, ${mebibytes(late)} in the last`,
        wrong: [...wrong, ...leak],
      };
    },
  },
  kills: {
    unit: "kills",
    count: 200,
    run: async (count, seed) => {
      const root = mkdtempSync(join(tmpdir(), "halp-kills-"));
      try {
        const { kills, ended, wrong } = await killRuns(count, seed, root, say);
        const by = Object.entries(kills).map(([name, n]) => `${n} of ${name}`);
        return { line: `${count} kills (${by.join(", ")}), ${ended} runs ended as undisturbed ones`, wrong };
      } finally {
        rmSync(root, { recursive: true, force: true });
      }
    },
  },
  fleet: {
    unit: "kills",
    count: 10,
    skip: noRedis,
    run: async (count, seed, stored) => {
      const found = await killWorkers({ ...scoredByFleet, kills: count, seed, stored }, say);
      const { kills, givenAnew, channels, top1, seconds, secondsWith, secondsKilled, wrong } = found;
      const { images, batchSize, workers } = scoredByFleet;
      const each = (numbers: readonly number[]) => numbers.map((s) => s.toFixed(1)).join(", ");
      return {
        line:
          `${channels} scores and an accuracy of ${(100 * top1).toFixed(2)} % from ${images} images, batch ${batchSize}: ` +
          `${seconds.toFixed(1)} s in one process, ${each(secondsWith)} s with ${workers.join(", ")} workers; ` +
          `${kills} killed at a task in rounds of ${each(secondsKilled)} s, ${givenAnew} tasks given out anew`,
        wrong,
      };
    },
  },
};

const { values, positionals } = parseArgs({
  options: {
    count: { type: "string" },
    seed: { type: "string", default: "1" },
    model: { type: "string" },
    data: { type: "string" },
    mean: { type: "string" },
    std: { type: "string" },
  },
  allowPositionals: true,
});
const { model, data, mean, std } = values;
if ((model === undefined) !== (data === undefined)) throw new Error("give --model and --data, or neither");
const numbers = (text: string) => text.split(",").map(Number);
const stored: StoredNetwork | undefined =
  model === undefined || data === undefined
    ? undefined
    : { model, data, ...(mean ? { mean: numbers(mean) } : {}), ...(std ? { std: numbers(std) } : {}) };
const unknown = positionals.find((name) => !(name in checks));
if (unknown !== undefined)
  throw new Error(`there is no check "${unknown}"; there are ${Object.keys(checks).join(", ")}`);
let failed = 0;
for (const name of positionals.length > 0 ? positionals : Object.keys(checks)) {
  const { count, unit, run, skip } = checks[name]!;
  if (skip) {
    say(`${name}: skipped: ${skip}`);
    continue;
  }
  const asked = values.count === undefined ? count : Number(values.count);
  say(`${name}: ${asked} ${unit}`);
  const { line, wrong } = await run(asked, Number(values.seed), stored);
  for (const w of wrong.slice(0, 20)) say(`  wrong: ${w}`);
  failed += wrong.length;
  say(`${name}: ${line}; ${wrong.length} wrong`);
}
process.exitCode = failed > 0 ? 1 : 0;
