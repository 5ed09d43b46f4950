import { contest, type Timed } from "../contest.js";
import { suites } from "../instances/suites.js";
import { runTask } from "../run-task.js";
import { type BarGroup, untold } from "./bar.js";

/** Relative: HiGHS calls an answer optimal within its tolerances. */
const highsTolerance = 1e-6;

export const everyChoice: BarGroup = {
  name: "every-choice",
  seconds: [20, 5],
  async run({ quick, stop, tell }) {
    const bar = "mismatches against trying every choice";
    const problems = quick ? 4000 : 20_000;
    const { result, cut } = await runTask("againstEveryChoice", { problems }, stop, tell);
    if (result === null) return [untold(bar, "0", `${problems} small problems`, cut ?? "no answer")];
    return [
      {
        bar,
        atLeast: "0",
        measured: String(result.mismatches.length),
        reached: result.mismatches.length > 0 ? false : cut === null ? true : null,
        instances: `${result.problems} random small problems, ${result.joint} of them with two-variable tables, ${result.infeasible} infeasible; seeds 1 to ${result.problems}`,
        notes: [...result.mismatches.slice(0, 5), ...(cut === null ? [] : [cut])],
        figures: result,
      },
    ];
  },
};

/** What is wrong between the two answers to one problem: null, nearly nothing, or a mismatch. */
function compare(ours: Timed, theirs: Timed): { readonly mismatch: string | null; readonly rounded: boolean } {
  const a = ours.checked!;
  const b = theirs.checked!;
  if (a.wrong !== null) return { mismatch: `halp: ${a.wrong}`, rounded: false };
  if (a.status !== "optimal" && a.status !== "infeasible") return { mismatch: `halp: ${a.status}`, rounded: false };
  if (a.status !== b.status) return { mismatch: `halp ${a.status}, HiGHS ${b.status}`, rounded: false };
  if (a.status === "infeasible") return { mismatch: null, rounded: false };
  // a choice of theirs that does not hold: counted, for a person to look at
  if (b.wrong !== null) return { mismatch: `HiGHS: ${b.wrong}`, rounded: false };
  const off = Math.abs(a.value - b.value);
  if (off === 0) return { mismatch: null, rounded: false };
  return off <= highsTolerance * Math.max(1, Math.abs(a.value))
    ? { mismatch: null, rounded: true }
    : { mismatch: `halp ${a.value}, HiGHS ${b.value}`, rounded: false };
}

export const againstHighs: BarGroup = {
  name: "highs-agrees",
  seconds: [150, 15],
  async run({ quick, stop, tell }) {
    const bar = "mismatches against HiGHS at gap 0, middling problems";
    const asked = quick ? 50 : 500;
    const heats = suites.agree(asked).map((instance) => ({ instance, contenders: ["halp-json", "highs"] }));
    const all = await contest(heats, {
      seconds: 0,
      limitSeconds: 60,
      persist: true,
      stop,
      progress: (done, of) => tell(`${done / 2} of ${of / 2} problems`),
    });
    const seeds = new Map<number, Timed[]>();
    for (const t of all) seeds.set(t.instance.seed, [...(seeds.get(t.instance.seed) ?? []), t]);
    const mismatches: string[] = [];
    const untoldSeeds: string[] = [];
    let compared = 0;
    let infeasible = 0;
    let rounded = 0;
    for (const [seed, [ours, theirs]] of seeds) {
      if (ours?.checked == null) mismatches.push(`seed ${seed}: halp: ${ours?.error}`);
      else if (theirs === undefined) continue;
      else if (theirs.checked === null || theirs.checked.status === "unfinished")
        untoldSeeds.push(`seed ${seed}: HiGHS ${theirs.error ?? "ran out of time"}`);
      else {
        const { mismatch, rounded: nearly } = compare(ours, theirs);
        compared++;
        if (ours.checked.status === "infeasible") infeasible++;
        if (nearly) rounded++;
        if (mismatch !== null) mismatches.push(`seed ${seed}: ${mismatch}`);
      }
    }
    const notes = [...mismatches.slice(0, 10), ...untoldSeeds.slice(0, 10)];
    if (rounded > 0) notes.push(`${rounded} differ within HiGHS's tolerance of ${highsTolerance}`);
    if (stop.stopped) notes.push("interrupted");
    return [
      {
        bar,
        atLeast: "0 of 500",
        measured: `${mismatches.length} of ${compared}`,
        reached: mismatches.length > 0 ? false : compared >= 0.98 * asked ? true : null,
        instances: `${compared} problems, ${infeasible} infeasible (Pisinger's five kinds, staircases, two-variable tables); seeds 1 to ${asked}`,
        notes,
        figures: { asked, compared, infeasible, rounded, mismatches, untold: untoldSeeds },
      },
    ];
  },
};
