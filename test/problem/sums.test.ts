import fc from "fast-check";
import t from "tap";
import type { CouplingGroup } from "../../src/coupling/index.js";
import { buildProblem, countsOf, type PruneVariable, sumWidths } from "../../src/problem/index.js";
import { solve, verify } from "../../src/solver/index.js";

function variable(id: number, options: readonly number[], values: readonly number[]): PruneVariable {
  const size = options[options.length - 1] as number;
  const group = { id, name: `g${id}`, start: 0, size } as CouplingGroup;
  return { group, options, ranking: Int32Array.from({ length: size }, (_, i) => i), values };
}

const variablesOf = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), fc.nat(50)), {
    minLength: 3,
    maxLength: 5,
  })
  .map((groups) =>
    groups.map(([count, step, noise], id) => {
      const options = Array.from({ length: count }, (_, i) => (i + 1) * step);
      return variable(
        id,
        options,
        options.map((k, i) => 10 * k + ((noise * (i + 3)) % 17)),
      );
    }),
  );

/** Every choice of options, as counts by group. */
function choices(variables: readonly PruneVariable[]): number[][] {
  return variables.reduce<number[][]>((all, v) => all.flatMap((counts) => v.options.map((k) => [...counts, k])), [[]]);
}

t.test("a layer over a concatenation of groups: the solver's plan is the best of all", async () => {
  fc.assert(
    fc.property(variablesOf, fc.integer({ min: 0, max: 100 }), fc.boolean(), (variables, percent, alsoPrefix) => {
      const last = variables.length - 1;
      const terms = variables.slice(0, last).map((v, i) => ({ group: v.group.id, perChannel: i === 1 ? 4 : 1 }));
      const sum = { fixed: 3, terms };
      // a staircase in both, as devices have
      const layer = (width: number, out: number) => 7 * Math.ceil(width / 4) * Math.ceil(out / 2);
      const prefix = { fixed: 0, terms: terms.slice(0, 2) };
      const latency = (counts: readonly number[]) => {
        const width = (s: typeof sum) =>
          s.terms.reduce((n, x) => n + x.perChannel * (counts[x.group] as number), s.fixed);
        const own = counts.reduce((n, k, g) => n + (g + 1) * k, 0);
        return own + layer(width(sum), counts[last] as number) + (alsoPrefix ? 5 * Math.ceil(width(prefix) / 3) : 0);
      };
      const all = choices(variables);
      const least = Math.min(...all.map(latency));
      const most = Math.max(...all.map(latency));
      const budget = Math.floor(least + ((most - least) * percent) / 100);
      const problem = buildProblem(variables, [
        {
          name: "",
          budgetNs: budget,
          terms: {
            alone: (group, count) => (group + 1) * count,
            layers: [
              { sides: [sum, last], latencyNs: layer },
              ...(alsoPrefix
                ? [{ sides: [prefix] as const, latencyNs: (width: number) => 5 * Math.ceil(width / 3) }]
                : []),
            ],
          },
        },
      ]);
      const solution = solve(problem);
      verify(problem, solution);
      const counts = [...countsOf(variables, solution)];
      const worth = (c: readonly number[]) =>
        c.reduce(
          (n, k, g) => n + ((variables[g] as PruneVariable).values[variables[g]!.options.indexOf(k)] as number),
          0,
        );
      const best = Math.max(...all.filter((c) => latency(c) <= budget).map(worth));
      return (
        solution.status === "optimal" &&
        solution.latency === latency(counts) &&
        solution.value === best &&
        worth(counts) === best
      );
    }),
    { numRuns: 200 },
  );
});

t.test("sumWidths lists every width once, with balanced counts that reach it", async (t) => {
  fc.assert(
    fc.property(variablesOf, (variables) => {
      const terms = variables.map((v) => ({ group: v.group.id, perChannel: 1 }));
      const widths = sumWidths({ fixed: 5, terms }, variables);
      const expected = new Set(choices(variables).map((c) => 5 + c.reduce((a, b) => a + b, 0)));
      return (
        widths !== undefined &&
        widths.length === expected.size &&
        widths.every(
          ({ width, counts }, i) =>
            expected.has(width) &&
            5 + counts.reduce((a, b) => a + b, 0) === width &&
            (i === 0 || (widths[i - 1] as { width: number }).width < width),
        )
      );
    }),
  );
  const wide = variable(
    0,
    Array.from({ length: 40 }, (_, i) => i + 1),
    new Array(40).fill(0),
  );
  t.equal(sumWidths({ fixed: 0, terms: [0, 0].map((group) => ({ group, perChannel: 1 })) }, [wide]), undefined);
});
