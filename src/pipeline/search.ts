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
import type { Device } from "./devices.js";
import { type LatencyMode, LatencyModel } from "./latency-model.js";
import type { Oracle } from "./oracle.js";
import type { Solved } from "./search-record.js";

/** A network that a plan gave, with its predicted latency. */
export interface Candidate<Model> {
  readonly plan: Plan;
  readonly model: Model;
  /** By device. */
  readonly predictedNs: readonly number[];
  readonly importance: number;
  /** Absent where no problem was solved. */
  readonly solved?: Solved;
}

export interface SearchInput<Model> {
  readonly analyzed: AnalyzedGraph;
  readonly coupling: Coupling;
  /** By group id. */
  readonly variables: readonly PruneVariable[];
  /** The devices that the network has to suit; one at least. */
  readonly devices: readonly Pick<Device, "name" | "oracle">[];
  readonly mode?: LatencyMode;
  /** Predicted latency of the network as it is, by device. */
  readonly presentNs: readonly number[];
  /** Rewrites the graph by the plan and predicts its latency on each device. */
  readonly predict: (plan: Plan) => Promise<{ model: Model; predictedNs: readonly number[] }>;
  readonly warn?: (message: string) => void;
  readonly signal?: AbortSignal;
}

/** Solutions tried for one target. */
const tries = 14;
/** States that the solver may keep for several devices: the bound says what a proof would still have to close. */
const mostStates = 200_000;
/** A prediction this close below its target is as good as met. */
const close = 0.99;

export interface Search<Model> {
  /**
   * @param targetsNs predicted latency that the network may have, by device.
   * @throws HalpError HALP_INFEASIBLE_BUDGET (exit code 3) with the smallest latency that was reached.
   */
  find(targetsNs: readonly number[]): Promise<Candidate<Model>>;
  /** The plan of smallest predicted latency, importance apart; of several devices, on the one with the most left. */
  smallest(): Promise<Candidate<Model>>;
}

/** Measures what the search starts from. What one search learns serves the next. */
export async function openSearch<Model>(input: SearchInput<Model>): Promise<Search<Model>> {
  const { devices, presentNs } = input;
  let { variables } = input;
  const whole = Int32Array.from(variables, (v) => v.group.size);
  const predictCounts = (counts: Int32Array) => input.predict(planOf(variables, counts));
  for (const { oracle } of devices)
    if (!oracle.isOwn) variables = await thoseThatAreKnown({ ...input, oracle }, variables, whole, predictCounts);
  const models = await Promise.all(
    devices.map(({ oracle }, d) =>
      LatencyModel.open(
        { ...input, oracle, variables },
        presentNs[d] as number,
        async (counts) => (await predictCounts(counts)).predictedNs[d] as number,
      ),
    ),
  );
  const held = [...new Set(models.flatMap((m) => m.heldLayers))];
  if (held.length > 0)
    input.warn?.(
      `${held.length} layers depend on more widths than one table holds, and are taken one group at a time, the others as the last plan had them; the problem is solved again until that settles: ${held.slice(0, 5).join(", ")}${held.length > 5 ? ", ..." : ""}.`,
    );
  const importanceOf = (counts: Int32Array) =>
    variables.reduce((s, v, i) => s + (v.values[v.options.indexOf(counts[i] as number)] ?? 0), 0);

  let untold: HalpError | undefined;
  /** Solves for plan after plan; `aimOf` says, try by try, what the problem's budget is on a device. */
  async function* walk(aimOf: (device: number) => number) {
    let counts: Int32Array = whole;
    let predictedNs = presentNs;
    for (let i = 0; i < tries; i++) {
      input.signal?.throwIfAborted();
      // What the terms leave out or get wrong at the last plan is taken for right at the next one too.
      const problem = buildProblem(
        variables,
        models.map((model, d) => {
          const offset = (predictedNs[d] as number) - model.total(counts);
          return { name: (devices[d] as Device).name, terms: model.terms(), budgetNs: aimOf(d) - offset };
        }),
      );
      const solution = solve(problem, undefined, devices.length > 1 ? { maxStates: mostStates } : {});
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
      const infeasible = solution.status === "infeasible" || solution.status === "unknown";
      const solved = { problem, solution, staircases: () => (models[0] as LatencyModel).staircases(next) };
      yield { plan: planOf(variables, next), importance: importanceOf(next), settled, infeasible, solved, ...made };
      if (settled && infeasible) return;
      await Promise.all(models.map((model) => model.learn(next)));
      counts = next;
      predictedNs = made.predictedNs;
    }
  }

  const smallest = async () => {
    let best: Candidate<Model> | undefined;
    const left = (c: Candidate<Model>) => worstOf(c.predictedNs, presentNs);
    for await (const found of walk(() => 0)) if (!best || left(found) < left(best)) best = found;
    if (!best && untold) throw untold;
    return best as Candidate<Model>;
  };

  return {
    smallest,
    async find(targetsNs) {
      let best: Candidate<Model> | undefined;
      const misses = devices.map(() => 0);
      // The solver likes plans whose latency is guessed too low. Each time it is caught at it the next aim is lower.
      const aimOf = (d: number) => (targetsNs[d] as number) * (1 - 0.002 * (misses[d] as number) ** 2);
      for await (const found of walk(aimOf)) {
        const used = worstOf(found.predictedNs, targetsNs);
        const met = used <= 1;
        if (met && (!best || found.importance > best.importance)) best = found;
        if (met && (found.settled || used >= close)) break;
        if (found.infeasible) break;
        found.predictedNs.forEach((ns, d) => {
          if (ns > (targetsNs[d] as number)) misses[d] = (misses[d] as number) + 1;
        });
      }
      if (best) return best;
      if (untold) throw untold;
      const least = await smallest();
      if (worstOf(least.predictedNs, targetsNs) <= 1) return least;
      throw new HalpError(
        "HALP_INFEASIBLE_BUDGET",
        `The budget cannot be met: the smallest network has a predicted latency of ${smallestTold(devices, least.predictedNs, presentNs)}. ` +
          "Give a budget above that, or freeze fewer groups.",
        { exitCode: 3 },
      );
    },
  };
}

/** The largest share that a latency is of what is set beside it: of a target, say. */
export function worstOf(ns: readonly number[], ofNs: readonly number[]): number {
  return Math.max(...ns.map((x, d) => x / (ofNs[d] as number)));
}

/** "1.234 ms, 40.1 % of the present 3.077 ms" for each device. */
export function smallestTold(
  devices: readonly Pick<Device, "name">[],
  leastNs: readonly number[],
  presentNs: readonly number[],
): string {
  const told = leastNs.map((ns, d) => {
    const present = presentNs[d] as number;
    const where = devices.length > 1 ? ` on ${devices[d]?.name}` : "";
    return `${(ns / 1e6).toFixed(3)} ms${where}, ${((100 * ns) / present).toFixed(1)} % of the present ${(present / 1e6).toFixed(3)} ms`;
  });
  return told.join("; ");
}

/**
 * Options that a table of another device can answer for: it holds the layers that they lead to, or enough around them.
 * @throws HalpError HALP_TABLE_MISSING_KEY where no group has any but the one it has now
 */
async function thoseThatAreKnown(
  { analyzed, coupling, oracle }: Pick<SearchInput<unknown>, "analyzed" | "coupling"> & { readonly oracle: Oracle },
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
