/** --min-channels and --max-prune-ratio: no option below them, in any step. */
import fc from "fast-check";
import t from "tap";
import type { Coupling, CouplingGroup } from "../../src/coupling/index.js";
import { groupOptions, leastWidths, leastWidthsLeft, type WidthLimit } from "../../src/problem/index.js";

/** Groups of these sizes, named g0, g1, ..., each made by one layer. */
function couplingOf(sizes: readonly number[]): Coupling {
  let start = 0;
  const groups = sizes.map((size, id) => {
    const node = { name: `layer${id}`, outputs: [`value${id}`] };
    const group = { id, name: `g${id}`, size, start, producers: [node], consumers: [] } as unknown as CouplingGroup;
    start += size;
    return group;
  });
  const groupOf = Int32Array.from(groups.flatMap((g) => new Array<number>(g.size).fill(g.id)));
  return { groups, channelCount: start, axes: new Map(), groupOf, unknown: [] };
}

t.test("limits of all groups and of named ones; the strictest counts", async (t) => {
  const coupling = couplingOf([64, 16, 8, 10]);
  const least = (...limits: WidthLimit[]) => [...leastWidths(coupling, limits)];
  t.strictSame(least(), [0, 0, 0, 0]);
  t.strictSame(least({ minChannels: 12 }), [12, 12, 8, 10], "a smaller group stays whole");
  t.strictSame(least({ maxPruneRatio: 0.9 }), [7, 2, 1, 1]);
  t.strictSame(least({ maxPruneRatio: 0 }), [64, 16, 8, 10]);
  t.strictSame(least({ name: "g0", minChannels: 20 }, { minChannels: 4 }), [20, 4, 4, 4]);
  t.strictSame(least({ name: "layer1", minChannels: 3 }, { name: "value*", maxPruneRatio: 0.5 }), [32, 8, 4, 5]);
  t.throws(() => least({ name: "g9", minChannels: 1 }), { code: "HALP_WIDTH_LIMIT", exitCode: 2 });
});

t.test("no option lies below, and all channels are always one", async () => {
  const arbitrary = fc.tuple(fc.integer({ min: 1, max: 600 }), fc.constantFrom(1, 4, 8, 16), fc.boolean(), fc.nat(700));
  fc.assert(
    fc.property(arbitrary, ([size, alignment, mayVanish, minChannels]) => {
      const coupling = couplingOf([size]);
      const [least = 0] = leastWidths(coupling, [{ minChannels }]);
      const free = groupOptions(coupling.groups[0]!, { alignment }, mayVanish);
      const options = groupOptions(coupling.groups[0]!, { alignment }, mayVanish, least);
      const expected = free.filter((k) => k >= Math.min(size, minChannels));
      return options.at(-1) === size && JSON.stringify(options) === JSON.stringify(expected);
    }),
  );
});

t.test("a pruned network keeps what the whole one had to", async (t) => {
  const original = couplingOf([8, 4]);
  const least = leastWidths(original, [{ minChannels: 3 }]);
  // of the first group five channels are left, in two groups by now; of the second all four; one channel is new
  const now = couplingOf([3, 2, 4, 1]);
  const origin = Int32Array.from([0, 1, 2, 5, 7, 8, 9, 10, 11, -1]);
  t.strictSame([...leastWidthsLeft(original, least, now, origin)], [2, 2, 3, 0]);
});
