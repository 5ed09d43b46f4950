/** Every group keeps the same share of its channels, as near as its options allow: what the solver has to be better than. */
import { HalpError } from "../errors.js";
import { type PruneVariable, planOf } from "../problem/index.js";
import type { Device } from "./devices.js";
import { type Candidate, type Search, type SearchInput, smallestTold, worstOf } from "./search.js";

/** No group vanishes: with one share for all, all would. */
export function openUniformSearch<Model>(
  input: Pick<SearchInput<Model>, "variables" | "predict" | "presentNs" | "signal"> & {
    readonly devices: readonly Pick<Device, "name">[];
  },
): Search<Model> {
  const { devices, presentNs, signal, variables } = input;
  const levels = levelsOf(variables);
  const made = new Map<number, Candidate<Model>>();
  const at = async (level: number): Promise<Candidate<Model>> => {
    const known = made.get(level);
    if (known) return known;
    signal?.throwIfAborted();
    const options = levels[level] as Int32Array;
    const plan = planOf(
      variables,
      options.map((i, v) => variables[v]?.options[i] as number),
    );
    const importance = variables.reduce((sum, v, i) => sum + (v.values[options[i] as number] as number), 0);
    const candidate = { plan, importance, ...(await input.predict(plan)) };
    made.set(level, candidate);
    return candidate;
  };
  const smallest = () => at(levels.length - 1);
  return {
    smallest,
    async find(targetsNs) {
      let low = 0;
      let high = levels.length - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (worstOf((await at(middle)).predictedNs, targetsNs) <= 1) high = middle;
        else low = middle + 1;
      }
      const found = await at(low);
      if (worstOf(found.predictedNs, targetsNs) <= 1) return found;
      throw new HalpError(
        "HALP_INFEASIBLE_BUDGET",
        `The budget cannot be met with the same share of every group: the smallest such network has a predicted latency of ${smallestTold(devices, found.predictedNs, presentNs)}. ` +
          "Give a budget above that, or leave out --mode uniform.",
        { exitCode: 3 },
      );
    },
  };
}

/**
 * Choices of options from the whole network down: as the share falls each group takes the option nearest to it. Groups that
 * change at the same share do it one after the other, so that the budget is used as well as can be.
 */
function levelsOf(variables: readonly PruneVariable[]): readonly Int32Array[] {
  const changes = variables.flatMap(({ group, options }, variable) =>
    options.flatMap((kept, option) => {
      const wider = options[option + 1];
      return kept > 0 && wider !== undefined ? [{ share: (kept + wider) / 2 / group.size, variable, option }] : [];
    }),
  );
  changes.sort((a, b) => b.share - a.share || a.variable - b.variable);
  const levels = [Int32Array.from(variables, (v) => v.options.length - 1)];
  for (const { option, variable } of changes) {
    const next = Int32Array.from(levels[levels.length - 1] as Int32Array);
    next[variable] = option;
    levels.push(next);
  }
  return levels;
}
