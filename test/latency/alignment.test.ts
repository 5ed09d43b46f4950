import t from "tap";
import { alignmentOf } from "../../src/latency/alignment.js";

const widths = Array.from({ length: 32 }, (_, i) => 34 + 2 * i);
const linear = widths.map((w) => 1000 * w);

t.test("finds the step of a staircase", (t) => {
  for (const step of [2, 4, 8, 16, 32]) {
    const stairs = widths.map((w) => 1000 * Math.ceil(w / step) * step);
    t.equal(
      alignmentOf(widths, stairs, linear).outputs,
      step === 2 ? 1 : step,
      "steps of 2 do not show on even widths",
    );
  }
  t.equal(alignmentOf(widths, linear, linear).outputs, 1);
  t.end();
});

t.test("finds what input widths are cheap", (t) => {
  const steps = widths.map((w) => 1000 * Math.ceil(w / 16) * 16);
  const penalty = (m: number) => widths.map((w, i) => (w % m === 0 ? steps[i]! : 1.5 * steps[i]!));
  t.equal(alignmentOf(widths, steps, penalty(4)).inputs, 4);
  t.equal(alignmentOf(widths, steps, penalty(8)).inputs, 8);
  const { inputs, outputs, grid } = alignmentOf(widths, steps, linear);
  t.strictSame([inputs, outputs, grid], [1, 16, 16]);
  t.end();
});
