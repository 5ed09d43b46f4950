/** Masked equals removed: a rewritten network is run against its original with the removed channels forced to zero. */
import type { Coupling, Plan } from "../coupling/types.js";
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Model, ValueInfo } from "../graph/ir.js";
import { dataTypeCode } from "../graph/tensors.js";
import { createSession, type Feeds, isRuntimeType } from "../runtime/index.js";
import type { RewriteResult } from "./apply.js";
import { difference } from "./compare.js";
import { buildMasked } from "./masked.js";
import { randomFeeds, randomNormal } from "./random-feeds.js";
import { withNudgedWeights } from "./rounding.js";

export interface VerifyOptions {
  /** Inputs to run on; without them random ones are made. */
  readonly feeds?: readonly Feeds[];
  /** Default 0. */
  readonly seed?: number;
  /** Random inputs tried. Default 1. */
  readonly samples?: number;
  /**
   * Largest difference taken for rounding, relative to the largest magnitude in the output (or 0.01, where that is
   * larger). Default 1e-4. What exceeds it is still taken for rounding where changing the weights by one part in a
   * million moves the network as much (saturated gates, say).
   */
  readonly tolerance?: number;
}

export interface VerifyResult {
  /** Largest difference over all outputs and samples, relative to the largest magnitude in the output. */
  readonly maxError: number;
  /** Mean difference, relative to the same; of the output and sample where it is largest. */
  readonly meanError: number;
}

/**
 * Runs both networks, unoptimised, on the same random inputs (normal, one for each unit) under the analysed dims.
 * @throws HalpError HALP_MASKED_MISMATCH where an output differs by more than rounding; names the first tensor that does.
 */
export function verifyRewrite(
  analyzed: AnalyzedGraph,
  coupling: Coupling,
  plan: Plan,
  rewritten: RewriteResult,
  options: VerifyOptions = {},
): VerifyResult {
  const tolerance = options.tolerance ?? 1e-4;
  const masked = buildMasked(analyzed, coupling, plan, rewritten.removed);
  const random = randomNormal(options.seed ?? 0);
  const made = Array.from({ length: options.feeds ? 0 : (options.samples ?? 1) }, () => randomFeeds(analyzed, random));
  const batches = options.feeds ?? made;
  // One session after the other: of a large network two at once need twice the memory.
  const runAll = (model: Model) => {
    using session = createSession(model, { optimization: "disabled" });
    return batches.map((feeds) => session.run(feeds));
  };
  const expected = runAll(masked);
  const came = runAll(rewritten.model);
  let maxError = 0;
  let meanError = 0;
  for (const [i, feeds] of batches.entries())
    for (const { name } of analyzed.graph.outputs) {
      const [a, b] = [expected[i]?.[name], came[i]?.[name]];
      if (!a || !b) continue;
      const d = difference(a, b, () => undefined);
      if (!(d.max <= tolerance)) {
        const error = mismatch(analyzed, masked, rewritten, feeds, tolerance, random);
        if (error) throw error;
      }
      maxError = Math.max(maxError, d.max);
      meanError = Math.max(meanError, d.mean);
    }
  return { maxError, meanError };
}

/** How many times as far as nudged weights move it a value may differ. */
const roundingFactor = 10;

/** Runs both again with every common value as an output, to find where they part; undefined where all of it is rounding. */
function mismatch(
  analyzed: AnalyzedGraph,
  masked: Model,
  rewritten: RewriteResult,
  feeds: Feeds,
  tolerance: number,
  random: () => number,
): HalpError | undefined {
  const standing = new Set(rewritten.model.graph.nodes.flatMap((n) => n.outputs));
  const common = analyzed.graph.nodes
    .flatMap((n) => n.outputs)
    .filter(
      (name) => standing.has(name) && !analyzed.constants.has(name) && isRuntimeType(analyzed.types.get(name)?.dtype),
    );
  const run = (model: Model) => {
    using session = createSession(withOutputs(model, common, analyzed), { optimization: "disabled" });
    return session.run(feeds);
  };
  const expected = run(masked);
  const came = run(rewritten.model);
  const nudged = run(withNudgedWeights(masked, random));
  for (const name of common) {
    const [a, b, c] = [expected[name], came[name], nudged[name]];
    if (!a || !b || !c) continue;
    const keptOf = (axis: number) => rewritten.keptOf(name, axis);
    const error = difference(a, b, keptOf).max;
    if (error <= tolerance || error <= roundingFactor * difference(a, c, () => undefined).max) continue;
    const node = analyzed.producerOf.get(name);
    return new HalpError(
      "HALP_MASKED_MISMATCH",
      `The pruned network differs from the masked original by more than rounding; the first tensor that differs is "${name}"` +
        `${node ? `, made by ${node.opType}` : ""}: by ${error.toExponential(2)} of its largest value. ` +
        "This is a fault of halp: freeze the group of this tensor to go on, and please report it.",
      { name, exitCode: 1, ...(node ? { node: node.name, opType: node.opType } : {}) },
    );
  }
  return undefined;
}

function withOutputs(model: Model, names: readonly string[], analyzed: AnalyzedGraph): Model {
  const has = new Set(model.graph.outputs.map((o) => o.name));
  const more = names
    .filter((n) => !has.has(n))
    .map((name): ValueInfo => {
      const dtype = analyzed.types.get(name)?.dtype ?? "float32";
      return { name, dtype, dtypeCode: dtype === "other" ? 0 : dataTypeCode[dtype] };
    });
  return { ...model, graph: { ...model.graph, outputs: [...model.graph.outputs, ...more] } };
}
