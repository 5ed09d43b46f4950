import type { Dataset } from "../../data/dataset.js";
import { HalpError } from "../../errors.js";
import type { BoxAgreement, BoxOptions, Comparison, DataSource, Evaluation } from "../../evaluation/index.js";
import type { AnalyzedGraph } from "../../graph/analysis.js";
import type { Crew } from "../../jobs/index.js";
import type { Session } from "../../runtime/index.js";
import { boxOptionNames, boxOptions, boxRows } from "../box-options.js";
import type { CommandContext, CommandSpec } from "../command.js";
import { dataOptionNames, dataOptions } from "../data-options.js";
import { loadModel } from "../load-model.js";
import { openMachines } from "../machines.js";
import type { OptionValues } from "../options.js";
import { formatPercent } from "../quantities.js";
import { printable } from "../style.js";
import { renderTable } from "../table.js";

/** Samples a run where the model leaves the batch size open and --batch says nothing. */
const openBatch = 32;
/** Samples (or, for networks of several inputs, batches) to compare on where there is no data. */
const drawnSamples = 16;

export const evaluateCommand: CommandSpec = {
  name: "evaluate",
  args: [["<MODEL>", "ONNX file"]],
  summary: "accuracy over labelled data, or how far the outputs agree with another model's",
  options: [
    ...dataOptionNames,
    "split",
    "against",
    ...boxOptionNames,
    "input",
    "batch",
    "threads",
    "seed",
    "redis",
    "workers",
  ],
  readsConfig: true,
  examples: [
    "halp evaluate model.onnx --data images/ --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225",
    "halp evaluate small.onnx --against model.onnx --data images/",
    "halp evaluate detector.onnx --against other.onnx --input x=1x3x320x320",
    "halp evaluate model.onnx --data /mnt/images --workers --redis redis://build-server:6379",
    "halp evaluate small.onnx --against faces.onnx --data photos/ --boxes boxes --scores scores",
  ],
  run: async ([path = ""], options, context) => {
    const { against } = options;
    if (options.data === undefined && against === undefined)
      throw new HalpError(
        "HALP_DATA_MISSING",
        "There is nothing to evaluate on. Give data with --data, or another model to compare with by --against.",
      );
    const [{ createSession }, { openSource }] = await Promise.all([
      import("../../runtime/index.js"),
      import("../../evaluation/index.js"),
    ]);
    const analyzed = await loadModel(path, options);
    const reference = against === undefined ? undefined : await loadModel(against, options);
    const source = await sourceOf(analyzed, options);
    const dataset = source && (await openSource(source));
    await using machines = await openMachines(options);
    const { crew } = machines;
    const sessionOptions = { threads: options.threads ?? 1 };
    const session = createSession(analyzed.model, sessionOptions);
    const other = reference && createSession(reference.model, sessionOptions);
    try {
      const boxes = await boxOptions(
        options,
        (other ?? session).outputNames,
        [...analyzed.inputDims.values()][0] ?? [],
      );
      const accuracy = await accuracyOf({ analyzed, session, source, dataset, crew }, options, context);
      const otherAccuracy =
        reference &&
        other &&
        (await accuracyOf({ analyzed: reference, session: other, source, dataset, crew }, options, context));
      const comparison =
        other && (await compare(other, session, reference.inputDims, dataset, options, context, boxes));
      report(path, options, context, accuracy, otherAccuracy, comparison);
      return 0;
    } finally {
      session.dispose();
      other?.dispose();
    }
  },
};

async function sourceOf(analyzed: AnalyzedGraph, options: OptionValues): Promise<DataSource | undefined> {
  const { specForModel } = await import("../../evaluation/index.js");
  const data = dataOptions(options);
  const dims = [...analyzed.inputDims.values()][0] ?? [];
  return data && { kind: "stored", spec: specForModel(dims, options.split ? { ...data, split: options.split } : data) };
}

function feedOptions(options: OptionValues, signal: AbortSignal) {
  const limit = options.limit === undefined ? {} : { limit: options.limit };
  return { batchSize: options.batch ?? openBatch, signal, ...limit };
}

interface Judged {
  readonly analyzed: AnalyzedGraph;
  readonly session: Session;
  readonly source: DataSource | undefined;
  readonly dataset: Dataset | undefined;
  /** Who evaluates, if not this process. */
  readonly crew: Crew | undefined;
}

/** Undefined without labels, where there is another model to compare with instead. */
async function accuracyOf(
  { analyzed, session, source, dataset, crew }: Judged,
  options: OptionValues,
  { signal, progress, warn }: CommandContext,
): Promise<Evaluation | undefined> {
  if (!source || !dataset || (!dataset.labelled && options.against !== undefined)) return undefined;
  const { evaluate } = await import("../../evaluation/index.js");
  const feeding = feedOptions(options, signal);
  if (!crew) return await evaluate({ session, dataset, ...feeding, onProgress: progress.update });
  const [fixed] = session.inputs[0]?.dims ?? [];
  return await crew.evaluate({
    model: analyzed.model,
    data: source,
    ...feeding,
    ...(typeof fixed === "number" ? { batchSize: fixed } : {}),
    threads: options.threads ?? 1,
    onProgress: (p) => progress.update({ phase: "evaluating", ...p }),
    onWarning: warn,
  });
}

type Compared = Comparison & { readonly boxes?: BoxAgreement };

async function compare(
  reference: Session,
  session: Session,
  inputDims: ReadonlyMap<string, readonly number[]>,
  dataset: Dataset | undefined,
  options: OptionValues,
  { signal, progress }: CommandContext,
  boxes: BoxOptions | undefined,
): Promise<Compared> {
  const { compareOutputs, datasetFeeds, drawForModel, makeBoxComparison, noiseFeeds } = await import(
    "../../evaluation/index.js"
  );
  const [dims = [], ...others] = [...inputDims.values()];
  const limit = options.limit ?? drawnSamples;
  const seed = options.seed ?? 0;
  const feeds = dataset
    ? datasetFeeds(reference, dataset, feedOptions(options, signal))
    : others.length > 0
      ? noiseFeeds(reference, inputDims, { batches: limit, seed, signal })
      : datasetFeeds(reference, drawForModel(dims, seed), { batchSize: dims[0] ?? 1, limit, signal });
  const agreement = boxes && makeBoxComparison(boxes);
  const comparison = await compareOutputs(
    reference,
    session,
    feeds,
    (done) => progress.update({ phase: "comparing", done, total: 0 }),
    agreement?.add,
  );
  return agreement ? { ...comparison, boxes: agreement.result() } : comparison;
}

function report(
  path: string,
  options: OptionValues,
  { print, styles, width }: CommandContext,
  accuracy: Evaluation | undefined,
  otherAccuracy: Evaluation | undefined,
  comparison: Compared | undefined,
): void {
  const document = {
    format: "halp.evaluation/1",
    model: path,
    top1: null,
    top5: null,
    samples: comparison?.samples,
    ...accuracy,
    ...(comparison
      ? {
          against: {
            model: options.against,
            top1: null,
            top5: null,
            ...withoutFormat(otherAccuracy),
            ...withoutFormat(comparison),
          },
        }
      : {}),
  };
  print(document, () => {
    const rows: [string, string, string][] = [];
    const percent = (e: Evaluation | undefined, key: "top1" | "top5") => (e ? formatPercent(e[key], 2) : "");
    if (accuracy) {
      rows.push(["top 1", percent(accuracy, "top1"), percent(otherAccuracy, "top1")]);
      rows.push(["top 5", percent(accuracy, "top5"), percent(otherAccuracy, "top5")]);
    }
    for (const output of comparison?.outputs ?? []) {
      rows.push([`${printable(output.name)}, relative error`, formatPercent(output.relativeError, 2), ""]);
      rows.push([`${printable(output.name)}, largest difference`, output.largest.toPrecision(3), ""]);
      if (output.agreement !== null) rows.push(["same class on top", formatPercent(output.agreement, 2), ""]);
    }
    if (comparison?.boxes) rows.push(...boxRows(comparison.boxes));
    const columns = [
      { title: `${accuracy?.samples ?? comparison?.samples} samples`, flexible: true },
      { title: printable(path), align: "right" as const, flexible: true },
      ...(options.against === undefined
        ? []
        : [{ title: printable(options.against), align: "right" as const, flexible: true }]),
    ];
    return renderTable(columns, rows, width, styles.bold);
  });
}

function withoutFormat<T extends { readonly format: string }>(x: T | undefined): Partial<Omit<T, "format">> {
  if (!x) return {};
  const { format: _, ...rest } = x;
  return rest;
}
