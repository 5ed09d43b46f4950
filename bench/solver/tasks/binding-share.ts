import { createFlatSolver } from "../../../src/solver/index.js";
import { budgetToGrid } from "../../../src/solver/quantise.js";
import { coreStatus } from "../../../src/solver/wasm/exports.js";
import { compileCore, instantiateCore } from "../../../src/solver/wasm/load.js";
import { toFlat } from "../contenders/halp.js";
import { networkInstances, problemOf } from "../instances/suites.js";
import { median, quantile } from "../statistics.js";
import { every, type Tell } from "./tell.js";

export interface BindingShare {
  readonly problems: number;
  readonly rounds: number;
  /** Seconds a one-shot solve: through solveInto, and inside the core alone. */
  readonly wholeSeconds: number;
  readonly coreSeconds: number;
  /** Of the whole, what is spent outside the core: medians over rounds. */
  readonly share: number;
  readonly shareSpread: readonly [number, number];
}

/**
 * What JavaScript adds to the core. Three loops over the same problems take turns: (a) solveInto; (b) the core's exports called
 * bare on input copied in by three `set`s; (c) the three `set`s alone. The core's own time is b - c, the binding's a - (b - c):
 * copying, checks, and reading the answer.
 */
export async function bindingShare(
  { seeds, rounds }: { readonly seeds: number; readonly rounds: number },
  tell: Tell<BindingShare>,
): Promise<BindingShare> {
  const solver = createFlatSolver();
  const core = instantiateCore(compileCore());
  const problems = networkInstances("pruning", "resnet50", seeds).map((instance) => {
    const { problem, budget } = problemOf(instance);
    const flat = toFlat(problem);
    return { flat, budget, out: solver.solve(flat, budget), count: flat.offset.length - 1, size: flat.value.length };
  });
  let largest = problems[0]!;
  for (const p of problems) if (p.size > largest.size) largest = p;
  core.layout(largest.count, largest.size);
  let ints = new Int32Array(core.memory.buffer);
  let doubles = new Float64Array(core.memory.buffer);
  const copyIn = ({ flat, count, size }: (typeof problems)[number]): void => {
    core.layout(count, size);
    if (ints.buffer !== core.memory.buffer) {
      ints = new Int32Array(core.memory.buffer);
      doubles = new Float64Array(core.memory.buffer);
    }
    ints.set(flat.offset, (core.offsetAt() >>> 0) >> 2);
    doubles.set(flat.value, (core.valueAt() >>> 0) >> 3);
    doubles.set(flat.latency, (core.weightAt() >>> 0) >> 3);
  };
  const bare = (p: (typeof problems)[number]): void => {
    copyIn(p);
    core.quantise();
    core.prepare(core.getValueTotal());
    let status = core.begin(budgetToGrid(p.budget, core.getWeightScale(), p.count));
    while (status === coreStatus.running) status = core.run(50_000_000, 0, 1_000_000);
    if (status !== coreStatus.optimal) throw new Error(`the core ended with status ${status}`);
  };
  for (const p of problems) {
    bare(p);
    if (core.getValue() / core.getValueScale() !== p.out.value) throw new Error("the bare core found another value");
  }
  const loops = [
    (p: (typeof problems)[number]) => solver.solveInto(p.flat, p.budget, p.out),
    bare,
    (p: (typeof problems)[number]) => copyIn(p),
  ] as const;
  const pass = (loop: (typeof loops)[number], repeats: number): number => {
    const start = performance.now();
    for (let k = 0; k < repeats; k++) for (const p of problems) loop(p);
    return (performance.now() - start) / 1000 / repeats / problems.length;
  };
  const repeats = Math.max(1, Math.round(200 / problems.length));
  for (const loop of loops) pass(loop, repeats * 4);
  const shares: number[] = [];
  const whole: number[] = [];
  const inside: number[] = [];
  const due = every(2000);
  const result = (): BindingShare => ({
    problems: problems.length,
    rounds: shares.length,
    wholeSeconds: median(whole),
    coreSeconds: median(inside),
    share: median(shares),
    shareSpread: [quantile(shares, 0.05), quantile(shares, 0.95)],
  });
  for (let round = 0; round < rounds; round++) {
    const [a, b, c] = loops.map((loop) => pass(loop, repeats)) as [number, number, number];
    whole.push(a);
    inside.push(b - c);
    shares.push((a - (b - c)) / a);
    if (due()) tell(result(), `round ${round + 1} of ${rounds}`);
  }
  return result();
}
