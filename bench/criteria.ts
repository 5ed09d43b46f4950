/**
 * Accuracy without fine-tuning at equal latency, by criterion and by what removed channels are taken for: prunes one classifier
 * to one budget with each of them.
 *
 *     npm run bench -- criteria MODEL --data DIR [--budget 0.7] [--batch 64] [--steps 10] [--limit 1000] [--stand-ins zero,mean] [--mean ...] [--std ...]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { HalpError } from "../src/errors.js";
import { type Criterion, type PruneOptions, type PruneResult, prune, type StandIn } from "../src/pipeline/index.js";

export async function benchCriteria(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      data: { type: "string" },
      budget: { type: "string", default: "0.7" },
      batch: { type: "string", default: "64" },
      steps: { type: "string", default: "10" },
      limit: { type: "string", default: "1000" },
      mean: { type: "string" },
      std: { type: "string" },
      criteria: { type: "string", default: "taylor,l1,l2,bn-scale,random" },
      loss: { type: "string", default: "auto" },
      "stand-ins": { type: "string", default: "zero" },
      seeds: { type: "string", default: "1" },
    },
  });
  const [model] = positionals;
  if (!model || !values.data) throw new Error("usage: npm run bench -- criteria MODEL --data DIR");
  const numbers = (text: string | undefined) => text?.split(",").map(Number);
  const mean = numbers(values.mean);
  const std = numbers(values.std);
  const folder = await mkdtemp(join(tmpdir(), "halp-criteria-"));
  try {
    const rows: string[] = [];
    const each = {
      criteria: values.criteria.split(",") as Criterion[],
      standIns: values["stand-ins"].split(",") as StandIn[],
    };
    const ways = each.criteria.flatMap((criterion) => each.standIns.map((standIn) => ({ criterion, standIn })));
    for (const { criterion, standIn } of ways)
      for (let seed = 0; seed < Number(values.seeds); seed++) {
        const name = `${criterion}-${standIn}-${seed}`;
        const result = await prune({
          model,
          budget: { kind: "ratio", ratio: Number(values.budget) },
          output: join(folder, `${name}.onnx`),
          runFolder: join(folder, name),
          cacheDir: join(folder, "cache"),
          batch: Number(values.batch),
          steps: Number(values.steps),
          criterion,
          standIn,
          loss: values.loss as NonNullable<PruneOptions["loss"]>,
          seed,
          data: { path: values.data, limit: Number(values.limit), ...(mean ? { mean } : {}), ...(std ? { std } : {}) },
          onWarning: (m) => console.error(m),
        }).catch((error: unknown) => {
          if (error instanceof HalpError && error.exitCode === 4) return error.cause as PruneResult;
          throw error;
        });
        rows.push(row(criterion, standIn, seed, result));
        console.error(rows.at(-1));
      }
    console.log(
      `${cpus()[0]?.model}, Node ${process.version}, batch ${values.batch}, one thread, ${values.steps} steps\n`,
    );
    console.log(
      "| criterion | removed taken for | seed | budget | predicted | measured | top-1 dense | top-1 pruned | parameters |",
    );
    console.log("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    console.log(rows.join("\n"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function row(criterion: string, standIn: string, seed: number, r: PruneResult): string {
  const percent = (x: number | undefined) => (x === undefined ? "-" : `${(100 * x).toFixed(2)} %`);
  const cells = [criterion, standIn, seed, percent(r.budgetRatio), percent(r.predictedRatio)];
  const measured = `${percent(r.measuredRatio)} (spread ${percent(r.spread)})`;
  const share = `${percent(r.parameters.pruned / r.parameters.dense)}`;
  return `| ${[...cells, measured, percent(r.accuracy?.dense), percent(r.accuracy?.pruned), share].join(" | ")} |`;
}
