import t from "tap";
import { budgetSchedule } from "../../src/pipeline/schedule.js";

t.test("every step takes the same share, and the last is the target", async (t) => {
  const s = budgetSchedule(0.5, 4);
  t.equal(s.length, 4);
  t.equal(s[3], 0.5);
  const shares = s.map((r, i) => r / (s[i - 1] ?? 1));
  for (const share of shares) t.ok(Math.abs(share - 0.5 ** 0.25) < 1e-12);
  t.same(budgetSchedule(0.7, 1), [0.7]);
});
