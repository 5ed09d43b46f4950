/**
 * What halp makes of networks that people deploy: how much of each may be pruned and why the rest may not, its latency when
 * pruned to a budget, and whether the pruned network equals the masked original.
 *
 *     npm run bench -- models [--budget 0.6] [--only NAME] [--folder DIR] [--json FILE]
 *
 * Importance comes from drawn scenes; there is no data and no fine-tuning. `--folder` keeps downloads and latency tables.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { analyzeCoupling, type Coupling } from "../src/coupling/index.js";
import { prunableMacs } from "../src/coupling/prunable-macs.js";
import { HalpError } from "../src/errors.js";
import type { AnalyzedGraph } from "../src/graph/analysis.js";
import { analyzeGraph } from "../src/graph/infer.js";
import type { Model } from "../src/graph/ir.js";
import { countParameters } from "../src/graph/parameters.js";
import { writeModel } from "../src/onnx/index.js";
import { findOperator } from "../src/operators/index.js";
import { measureReach, type PruneResult, prune } from "../src/pipeline/index.js";
import { applyPlan, verifyRewrite } from "../src/rewrite/index.js";
import { type Subject, subjects } from "./models/subjects.js";

interface Row {
  readonly name: string;
  readonly parameters: number;
  readonly free: { readonly groups: number; readonly channels: number };
  /** Share of the multiply-accumulates of convolutions that touch a channel that may go; null without convolutions. */
  readonly prunableMacs: number | null;
  /** The same of all multiply-accumulates: linear layers and products of activations too. */
  readonly prunableOfAll: number | null;
  readonly frozen: readonly { readonly reason: string; readonly channels: number }[];
  readonly pruned?: Pick<PruneResult, "predictedRatio" | "measuredRatio" | "spread" | "maskedError">;
  /** Why there is no network at the budget, and the least that can be reached, as measured. */
  readonly refused?: { readonly code: string; readonly smallest?: number; readonly maskedError?: number };
}

export async function benchModels(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      budget: { type: "string", default: "0.6" },
      only: { type: "string" },
      folder: { type: "string" },
      json: { type: "string" },
    },
  });
  const folder = values.folder ?? (await mkdtemp(join(tmpdir(), "halp-models-")));
  await mkdir(folder, { recursive: true });
  const rows: Row[] = [];
  try {
    for (const subject of subjects) {
      if (values.only !== undefined && !subject.name.includes(values.only)) continue;
      const model = await subject.model(folder);
      if (!model) {
        console.error(`${subject.name}: not at hand`);
        continue;
      }
      const row = await rowOf(subject, model, Number(values.budget), folder);
      rows.push(row);
      console.error(line(row));
    }
  } finally {
    if (!values.folder) await rm(folder, { recursive: true, force: true });
  }
  console.log(`${cpus()[0]?.model}, Node ${process.version}, one thread, seed 0, budget ${values.budget}\n`);
  console.log(
    "| network | parameters | groups to choose in | prunable conv MACs | frozen | latency | masked = removed |",
  );
  console.log("| --- | --- | --- | --- | --- | --- | --- |");
  console.log(rows.map(line).join("\n"));
  if (values.json) await writeFile(values.json, `${JSON.stringify(rows, undefined, 2)}\n`);
}

async function rowOf({ name, dims, batch }: Subject, model: Model, ratio: number, folder: string): Promise<Row> {
  const [input = ""] = model.graph.inputs
    .map((i) => i.name)
    .filter((i) => !model.graph.initializers.some((w) => w.name === i));
  const inputs = dims ? { [input]: dims } : undefined;
  const analyzed = analyzeGraph(model, findOperator, {
    ...(inputs ? { inputDims: new Map(Object.entries(inputs)) } : {}),
    ...(batch === undefined ? {} : { batch }),
  });
  const coupling = analyzeCoupling(analyzed, findOperator);
  const free = coupling.groups.filter((g) => g.frozen === undefined);
  const convolutions = prunableMacs(analyzed, coupling, (n) => n.opType === "Conv" || n.opType === "ConvTranspose");
  const all = prunableMacs(analyzed, coupling);
  const facts = {
    name,
    parameters: countParameters(analyzed),
    free: { groups: free.length, channels: free.reduce((n, g) => n + g.size, 0) },
    prunableMacs: convolutions && convolutions.all > 0 ? convolutions.prunable / convolutions.all : null,
    prunableOfAll: all && all.all > 0 ? all.prunable / all.all : null,
    frozen: frozenReasons(coupling),
  };
  const file = join(folder, "model.onnx");
  await writeModel(model, file);
  const options = {
    model: file,
    budget: { kind: "ratio" as const, ratio },
    output: join(folder, "pruned.onnx"),
    runFolder: join(folder, "run"),
    cacheDir: join(folder, "tables"),
    ...(inputs ? { inputs } : {}),
    ...(batch === undefined ? {} : { batch }),
  };
  try {
    return { ...facts, pruned: await prune(options) };
  } catch (error) {
    if (!(error instanceof HalpError)) throw error;
    if (error.exitCode === 4) return { ...facts, pruned: error.cause as PruneResult };
    if (error.exitCode !== 3) return { ...facts, refused: { code: error.code } };
    const { measuredRatio } = await measureReach(options);
    const maskedError = errorOfHalf(analyzed, coupling);
    return { ...facts, refused: { code: error.code, smallest: measuredRatio, maskedError } };
  }
}

/** Masked against removed where every second channel went. */
function errorOfHalf(analyzed: AnalyzedGraph, coupling: Coupling): number {
  const kept = coupling.groups.map((g) =>
    Int32Array.from({ length: g.size }, (_, i) => i).filter((i) => g.frozen !== undefined || i % 2 === 0),
  );
  const rewritten = applyPlan(analyzed, coupling, { kept }, findOperator);
  return verifyRewrite(analyzed, coupling, { kept }, rewritten).maxError;
}

/** Reasons with the channels that they hold; those that differ in names alone are told together, without the names. */
function frozenReasons(coupling: Coupling): Row["frozen"] {
  const found = new Map<string, { reason: string; channels: number }>();
  for (const { frozen, size } of coupling.groups) {
    if (frozen === undefined) continue;
    const nameless = frozen.replace(/\s*"[^"]*"/g, "");
    const before = found.get(nameless);
    found.set(nameless, { reason: before ? nameless : frozen, channels: (before?.channels ?? 0) + size });
  }
  return [...found.values()];
}

const percent = (x: number) => `${(100 * x).toFixed(1)} %`;

function shares({ prunableMacs: ofConvolutions, prunableOfAll: ofAll }: Row): string {
  if (ofConvolutions === null || ofAll === null) return "no convolutions";
  return percent(ofConvolutions) === percent(ofAll)
    ? percent(ofAll)
    : `${percent(ofConvolutions)} (${percent(ofAll)} of all MACs)`;
}

function line(row: Row): string {
  const { pruned, refused } = row;
  const maskedError = pruned?.maskedError ?? refused?.maskedError;
  const latency = pruned
    ? `${percent(pruned.measuredRatio)} (${percent(pruned.spread)}), predicted ${percent(pruned.predictedRatio)}`
    : refused?.smallest !== undefined
      ? `at its smallest ${percent(refused.smallest)}`
      : (refused?.code ?? "");
  return `| ${[
    row.name,
    row.parameters < 1e6 ? `${(row.parameters / 1e3).toFixed(1)} k` : `${(row.parameters / 1e6).toFixed(2)} M`,
    `${row.free.groups} (${row.free.channels} channels)`,
    shares(row),
    row.frozen.map((f) => `${f.channels}: ${f.reason}`).join("; ") || "none",
    latency,
    maskedError === undefined ? "" : maskedError === 0 ? "0" : maskedError.toExponential(1),
  ].join(" | ")} |`;
}
