/** HiGHS in a process of its own: there are problems that it does not end, and only a killed process gives them up. */
import { integerPrograms } from "../../bench/solver/contenders/integer-programs.js";
import { serveParent } from "../../src/runtime/index.js";
import type { Problem } from "../../src/solver/index.js";

const timeLimitSeconds = 60;
const highs = await integerPrograms.highs.load(timeLimitSeconds);

serveParent({
  solve: ({ problem, budget }: { readonly problem: Problem; readonly budget: number }) => {
    const ready = highs(problem, budget);
    return ready.read(ready.run());
  },
});
