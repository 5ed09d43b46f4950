/** A finished run of `halp prune`, opened again: the original, the plan, and the network that came of it. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { analyzeCoupling, type Coupling, type Plan } from "../coupling/index.js";
import { prepareForTraining } from "../finetune/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { readModel } from "../onnx/index.js";
import { findOperator } from "../operators/index.js";
import { openModel, runFiles } from "../pipeline/index.js";
import { corrupt, requireDocument } from "../report/index.js";
import { type ExportedPlan, exportPlan } from "./export-plan.js";

/** A model file. The hash is of that file alone; weights that lie in files beside it are not in it. */
export interface ModelFile {
  readonly file: string;
  readonly sha256: string;
}

export interface ExportedRun extends ExportedPlan {
  readonly original: ModelFile;
  readonly pruned: ModelFile;
}

/**
 * What a run of `halp prune` decided, in the words of tensors and layers.
 * @throws HalpError HALP_RUN_MISSING where no run has ended in the folder, HALP_RUN_CORRUPT where its files cannot be what
 * halp wrote or speak of another model; what reading models refuses
 */
export async function exportRun(runFolder: string): Promise<ExportedRun> {
  const config = requireDocument(runFolder, runFiles.config, "halp.config/1");
  const record = requireDocument(runFolder, runFiles.plan, "halp.plan/1");
  const result = requireDocument(runFolder, runFiles.result, "halp.result/1");
  const command = config.command as { readonly folder?: string } | undefined;
  const pathOf = (document: Readonly<Record<string, unknown>>, key: string, name: string) => {
    const path = document[key];
    if (typeof path === "string") return resolve(command?.folder ?? "", path);
    throw corrupt(join(runFolder, name), `"${key}" is no path`);
  };
  const files = {
    original: pathOf(config, "model", runFiles.config),
    pruned: pathOf(result, "output", runFiles.result),
  };
  const { inputs, batch, freeze, heads, headWidth, training } = config as Partial<RunConfig>;
  const options = { model: files.original, ...(inputs ? { inputs } : {}), ...(batch === undefined ? {} : { batch }) };
  const read = await openModel(options);
  const analyzed: AnalyzedGraph = training ? prepareForTraining(read, findOperator) : read;
  const coupling = analyzeCoupling(analyzed, findOperator, {
    ...(freeze ? { freeze } : {}),
    ...(heads ? { heads } : {}),
    ...(headWidth ? { headWidth } : {}),
  });
  const plan = planOf(coupling, record.groups, join(runFolder, runFiles.plan));
  const pruned = await readModel(files.pruned);
  const exported = exportPlan(analyzed, coupling, plan, pruned.graph.initializers);
  return { ...exported, original: await describe(files.original), pruned: await describe(files.pruned) };
}

interface RunConfig {
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly batch: number;
  readonly freeze: readonly string[];
  readonly heads: readonly string[];
  readonly headWidth: readonly string[];
  readonly training: object;
}

/** The plan of a record by group names; frozen groups, of which it does not speak, stay whole. */
function planOf(coupling: Coupling, record: unknown, file: string): Plan {
  const groups = new Map(Object.entries((record ?? {}) as Readonly<Record<string, unknown>>));
  const kept = coupling.groups.map((group) => {
    if (group.frozen !== undefined) return Int32Array.from({ length: group.size }, (_, i) => i);
    const entry = groups.get(group.name) as { readonly size?: unknown; readonly kept?: unknown } | undefined;
    groups.delete(group.name);
    if (entry?.size !== group.size || !Array.isArray(entry.kept) || !entry.kept.every(Number.isInteger))
      throw corrupt(
        file,
        `the model has a group "${group.name}" of ${group.size} channels, of which the plan does not speak`,
      );
    return Int32Array.from(entry.kept as number[]);
  });
  const [unknown] = groups.keys();
  if (unknown !== undefined) throw corrupt(file, `it speaks of a group "${unknown}", which the model does not have`);
  return { kept };
}

async function describe(file: string): Promise<ModelFile> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return { file, sha256: hash.digest("hex") };
}
