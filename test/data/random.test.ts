import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { createRandom, fillGaussian, fillUniform, fromState, permutation, shuffle } from "../../src/data/random.js";

t.test("xoshiro128** gives the published sequence", async (t) => {
  const random = fromState([1, 2, 3, 4]);
  const drawn = Array.from({ length: 10 }, () => random.uint32());
  t.same(drawn, [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804]);
});

t.test("the same seed gives the same numbers, another seed others", async (t) => {
  const draw = (seed: number) => {
    const random = createRandom(seed);
    return Array.from({ length: 8 }, () => random.uint32());
  };
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.maxSafeInteger(), (a, b) => {
      assert.deepEqual(draw(a), draw(a));
      if (a !== b) assert.notDeepEqual(draw(a), draw(b));
    }),
    { numRuns: 200 },
  );
  t.throws(() => createRandom(Number.NaN), RangeError);
});

t.test("uniform and gaussian have the moments of their distributions", async (t) => {
  const count = 200_000;
  const moments = (values: Float64Array) => {
    const mean = values.reduce((a, b) => a + b, 0) / count;
    const central = (p: number) => values.reduce((a, v) => a + (v - mean) ** p, 0) / count;
    return { mean, variance: central(2), third: central(3), fourth: central(4) };
  };
  const normal = moments(fillGaussian(new Float64Array(count), createRandom(5)));
  // Five standard errors each: of the mean 1/sqrt(n), variance sqrt(2/n), third sqrt(15/n), fourth sqrt(96/n).
  t.ok(Math.abs(normal.mean) < 5 / Math.sqrt(count), `mean ${normal.mean}`);
  t.ok(Math.abs(normal.variance - 1) < 5 * Math.sqrt(2 / count), `variance ${normal.variance}`);
  t.ok(Math.abs(normal.third) < 5 * Math.sqrt(15 / count), `third ${normal.third}`);
  t.ok(Math.abs(normal.fourth - 3) < 5 * Math.sqrt(96 / count), `fourth ${normal.fourth}`);
  const flat = fillUniform(new Float64Array(count), createRandom(6), -2, 4);
  t.ok(flat.every((v) => v >= -2 && v < 4));
  const spread = moments(flat);
  t.ok(Math.abs(spread.mean - 1) < 5 * Math.sqrt(3 / count));
  t.ok(Math.abs(spread.variance - 3) < 0.05);
});

t.test("below is even-handed, and refuses bounds it cannot serve", async (t) => {
  const random = createRandom(7);
  const counts = new Array<number>(7).fill(0);
  for (let i = 0; i < 70_000; i++) counts[random.below(7)]!++;
  const chi2 = counts.reduce((sum, c) => sum + (c - 10_000) ** 2 / 10_000, 0);
  t.ok(chi2 < 30, `chi-squared with 6 degrees of freedom: ${chi2}`);
  t.equal(random.below(1), 0);
  for (const bad of [0, -1, 1.5, 2 ** 33]) t.throws(() => random.below(bad), RangeError);
});

t.test("a permutation holds every index once; a shuffle keeps what it shuffles", async (t) => {
  fc.assert(
    fc.property(fc.nat(300), fc.integer(), (count, seed) => {
      const order = permutation(count, createRandom(seed));
      assert.deepEqual(
        [...order].sort((a, b) => a - b),
        Array.from({ length: count }, (_, i) => i),
      );
    }),
  );
  const seen = new Map<string, number>();
  const random = createRandom(11);
  for (let i = 0; i < 24_000; i++) {
    const key = shuffle([0, 1, 2, 3], random).join("");
    seen.set(key, (seen.get(key) ?? 0) + 1);
  }
  t.equal(seen.size, 24);
  const chi2 = [...seen.values()].reduce((sum, c) => sum + (c - 1000) ** 2 / 1000, 0);
  t.ok(chi2 < 60, `chi-squared with 23 degrees of freedom: ${chi2}`);
});

t.test("a fork goes its own way", async (t) => {
  const a = createRandom(1);
  const b = a.fork();
  const c = createRandom(1).fork();
  const draws = Array.from({ length: 5 }, () => b.uint32());
  t.same(
    draws,
    Array.from({ length: 5 }, () => c.uint32()),
  );
  t.notSame(
    draws,
    Array.from({ length: 5 }, () => a.uint32()),
  );
});
