/**
 * One step: the most important set of channels whose predicted latency meets a target. The problem is solved to proven
 * optimality; the network it gives is predicted as a whole, from measurements alone; what that teaches goes into the
 * problem, and it is solved again, until the prediction meets the target.
 */
import type { Coupling, Plan } from "../coupling/index.js";
import { axisWidths, dimsAt } from "../coupling/widths.js";
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { networkConfigs } from "../latency/index.js";
import { buildProblem, countsOf, type PruneVariable, planOf } from "../problem/index.js";
import { solve } from "../solver/index.js";
import { type LatencyMode, LatencyModel } from "./latency-model.js";
import type { Oracle } from "./oracle.js";
import type { Solved } from "./search-record.js";

/** A network that a plan gave, with its predicted latency. */
export interface Candidate<Model> {
  readonly plan: Plan;
  readonly model: Model;
  readonly predictedNs: number;
  readonly importance: number;
  /** Absent where no problem was solved. */
  readonly solved?: Solved;
}

export interface SearchInput<Model> {
  readonly analyzed: AnalyzedGraph;
  readonly coupling: Coupling;
  /** By group id. */
  readonly variables: readonly PruneVariable[];
  readonly oracle: Oracle;
  readonly mode?: LatencyMode;
  /** Predicted latency of the network as it is. */
  readonly presentNs: number;
  /** Rewrites the graph by the plan and predicts its latency. */
  readonly predict: (plan: Plan) => Promise<{ model: Model; predictedNs: number }>;
  readonly warn?: (message: string) => void;
  readonly signal?: AbortSignal;
}

/** Solutions tried for one target. */
const tries = 14;
/** A prediction this close below its target is as good as met. */
const close = 0.99;

export interface Search<Model> {
  /**
   * @param targetNs predicted latency that the network may have.
   * @throws HalpError HALP_INFEASIBLE_BUDGET (exit code 3) with the smallest latency that was reached.
   */
  find(targetNs: number): Promise<Candidate<Model>>;
  /** The plan of smallest predicted latency, importance apart. */
  smallest(): Promise<Candidate<Model>>;
}

/** Measures what the search starts from. What one search learns serves the next. */
export async function openSearch<Model>(input: SearchInput<Model>): Promise<Search<Model>> {
  const { presentNs } = input;
  let { variables } = input;
  const whole = Int32Array.from(variables, (v) => v.group.size);
  const predictCounts = (counts: Int32Array) => input.predict(planOf(variables, counts));
  if (!input.oracle.isOwn) variables = await thoseThatAreKnown(input, variables, whole, predictCounts);
  const model = await LatencyModel.open(
    { ...input, variables },
    presentNs,
    async (counts) => (await predictCounts(counts)).predictedNs,
  );
  const held = model.heldLayers;
  if (held.length > 0)
    input.warn?.(
      `${held.length} layers depend on more widths than one table holds, and are taken one group at a time, the others as the last plan had them; the problem is solved again until that settles: ${held.slice(0, 5).join(", ")}${held.length > 5 ? ", ..." : ""}.`,
    );
  const importanceOf = (counts: Int32Array) =>
    variables.reduce((s, v, i) => s + (v.values[v.options.indexOf(counts[i] as number)] ?? 0), 0);

  let untold: HalpError | undefined;
  /** Solves for plan after plan; `aimOf` says, try by try, what the problem's budget is. */
  async function* walk(aimOf: () => number) {
    let counts: Int32Array = whole;
    let predictedNs = presentNs;
    for (let i = 0; i < tries; i++) {
      input.signal?.throwIfAborted();
      // What the terms leave out or get wrong at the last plan is taken for right at the next one too.
      const offset = predictedNs - model.total(counts);
      const problem = buildProblem(variables, model.terms(), aimOf() - offset);
      const solution = solve(problem);
      const next = countsOf(variables, solution);
      const made = await predictCounts(next).catch((error: unknown) => {
        if (!(error instanceof HalpError)) throw error;
        if (error.code === "HALP_TABLE_MISSING_KEY") untold = error;
        else if (error.code !== "HALP_PLAN_DISCONNECTS") throw error;
      });
      // A table of another device cannot tell what this plan takes: what was found before has to do.
      if (untold) return;
      if (!made) {
        // These groups may go each alone, but not all at once: from now on each keeps something.
        variables = variables.map((v, g) => (next[g] === 0 ? withoutZero(v) : v));
        continue;
      }
      const settled = next.every((k, g) => k === counts[g]);
      const infeasible = solution.status === "infeasible";
      const solved = { problem, solution, staircases: () => model.staircases(next) };
      yield { plan: planOf(variables, next), importance: importanceOf(next), settled, infeasible, solved, ...made };
      if (settled && infeasible) return;
      await model.learn(next);
      counts = next;
      predictedNs = made.predictedNs;
    }
  }

  const smallest = async () => {
    let best: Candidate<Model> | undefined;
    for await (const found of walk(() => 0)) if (!best || found.predictedNs < best.predictedNs) best = found;
    if (!best && untold) throw untold;
    return best as Candidate<Model>;
  };

  return {
    smallest,
    async find(targetNs) {
      let best: Candidate<Model> | undefined;
      let misses = 0;
      // The solver likes plans whose latency is guessed too low. Each time it is caught at it the next aim is lower.
      for await (const found of walk(() => targetNs * (1 - 0.002 * misses ** 2))) {
        const met = found.predictedNs <= targetNs;
        if (met && (!best || found.importance > best.importance)) best = found;
        if (met && (found.settled || found.predictedNs >= close * targetNs)) break;
        if (found.infeasible) break;
        if (!met) misses++;
      }
      if (best) return best;
      if (untold) throw untold;
      const least = await smallest();
      if (least.predictedNs <= targetNs) return least;
      throw new HalpError(
        "HALP_INFEASIBLE_BUDGET",
        `The budget cannot be met: the smallest network has a predicted latency of ${(least.predictedNs / 1e6).toFixed(3)} ms, ` +
          `${((100 * least.predictedNs) / presentNs).toFixed(1)} % of the present ${(presentNs / 1e6).toFixed(3)} ms. ` +
          "Give a budget above that, or freeze fewer groups.",
        { exitCode: 3 },
      );
    },
  };
}

/**
 * Options that a table of another device can answer for: it holds the layers that they lead to, or enough around them.
 * @throws HalpError HALP_TABLE_MISSING_KEY where no group has any but the one it has now
 */
async function thoseThatAreKnown(
  { analyzed, coupling, oracle }: Pick<SearchInput<unknown>, "analyzed" | "coupling" | "oracle">,
  variables: readonly PruneVariable[],
  whole: Int32Array,
  predict: (counts: Int32Array) => Promise<unknown>,
): Promise<PruneVariable[]> {
  const network = oracle.networkOf(analyzed);
  const widths = axisWidths(coupling);
  let refused: HalpError | undefined;
  const known: PruneVariable[] = [];
  for (const v of variables) {
    const kept: number[] = [];
    for (const [i, count] of v.options.entries()) {
      const counts = Int32Array.from(whole);
      counts[v.group.id] = count;
      try {
        if (count === 0) await predict(counts);
        else
          await oracle.require(networkConfigs(network, { dimsOf: (name) => dimsAt(analyzed, widths, name, counts) }));
        kept.push(i);
      } catch (error) {
        if (!(error instanceof HalpError) || error.code !== "HALP_TABLE_MISSING_KEY") throw error;
        refused = error;
      }
    }
    const pick = <T>(list: readonly T[]): T[] => kept.map((i) => list[i] as T);
    known.push({ ...v, options: pick(v.options), values: pick(v.values) });
  }
  if (refused && known.every((v) => v.options.length <= 1)) throw refused;
  return known;
}

function withoutZero(v: PruneVariable): PruneVariable {
  return {
    ...v,
    options: v.options.filter((k) => k > 0),
    values: v.values.filter((_, i) => (v.options[i] as number) > 0),
  };
}
