import fc from "fast-check";
import t from "tap";
import { lowerMean, quantileOf, summarize } from "../../src/runtime/index.js";

const values = fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 50 });

t.test("a summary is ordered and lies within the values", (t) => {
  fc.assert(
    fc.property(values, (v) => {
      const { min, q1, median, q3, count } = summarize(v);
      const max = Math.max(...v);
      return count === v.length && min === Math.min(...v) && min <= q1 && q1 <= median && median <= q3 && q3 <= max;
    }),
  );
  t.end();
});

t.test("the lower mean lies between the minimum and the median, and large values do not move it", (t) => {
  fc.assert(
    fc.property(values, (v) => {
      const m = lowerMean(v);
      const { min, median } = summarize(v);
      const tiny = 1e-9 * (1 + median);
      const disturbed = [...v, ...v.map((x) => x + 1e12)];
      return m >= min - tiny && m <= median + tiny && lowerMean(disturbed) <= Math.max(...v) + tiny;
    }),
  );
  t.end();
});

t.test("known quantiles", (t) => {
  t.equal(quantileOf([1, 2, 3, 4, 5], 0.5), 3);
  t.equal(quantileOf([1, 2], 0.25), 1.25);
  t.equal(quantileOf([7], 0.9), 7);
  t.equal(lowerMean([4, 1, 3, 2]), 1.5);
  t.equal(lowerMean([4]), 4);
  t.end();
});
