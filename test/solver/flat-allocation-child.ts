// Prints how many bytes of heap a call of each kind leaves behind on average, as JSON. Needs --expose-gc.
import { createFlatSolver, type FlatProblem, type FlatSolution } from "../../src/solver/index.js";

const collect = (globalThis as unknown as { gc(): void }).gc;
const count = 8;
const each = 12;
const flat: FlatProblem = {
  offset: Int32Array.from({ length: count + 1 }, (_, i) => i * each),
  value: Float64Array.from({ length: count * each }, (_, i) => Math.sqrt(i % each) * (1 + (i >> 3))),
  latency: Float64Array.from({ length: count * each }, (_, i) => (i % each) * (3 + (i >> 4)) + ((i * 7) % 5) / 3),
};
const out: FlatSolution = {
  status: "optimal",
  choice: new Int32Array(count),
  value: 0.5,
  latency: 0.5,
  upperBound: 0.5,
  gap: 0.5,
};
// No time limit: what a clock gives is boxed.
const limits = { maxStates: 1e6, gap: 0, stopped: () => false };
const solver = createFlatSolver();
// Beside an object numbers stay boxed as they are; read from an array of doubles each would be boxed anew for the call.
const budgets: readonly unknown[] = [40.5, 90.25, 150.75, 201.5, {}];

const calls = 200_000;
const runs: Readonly<Record<string, (i: number) => void>> = {
  solveInto: (i) => solver.solveInto(flat, budgets[i & 3] as number, out),
  resolveInto: (i) => solver.resolveInto(budgets[i & 3] as number, out),
  "with limits": (i) => solver.solveInto(flat, budgets[i & 3] as number, out, limits),
};
const perCall: Record<string, number> = {};
for (const [what, run] of Object.entries(runs)) {
  for (let i = 0; i < 30_000; i++) run(i); // until compiled for good
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < calls; i++) run(i);
  perCall[what] = Math.max(0, process.memoryUsage().heapUsed - before) / calls;
}
console.log(JSON.stringify(perCall));
