import t from "tap";
import { Patience } from "../../src/latency/patience.js";

t.test("patience ends, and comes back with time", async (t) => {
  let now = 1000;
  const patience = new Patience(undefined, () => now);
  t.ok(patience.left);
  patience.spend(19_999);
  t.ok(patience.left);
  patience.spend(1);
  t.notOk(patience.left, "twenty seconds at the start");
  now += 100_000;
  t.ok(patience.left, "and three tenths of what has passed since");
  patience.spend(30_000);
  t.notOk(patience.left);
});

t.test("patience that was asked for does not grow", async (t) => {
  let now = 0;
  const patience = new Patience(500, () => now);
  patience.spend(499);
  t.ok(patience.left);
  patience.spend(1);
  now += 1e6;
  t.notOk(patience.left);
  t.notOk(new Patience(0, () => now).left, "none at all");
});
