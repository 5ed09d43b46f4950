import type { Classes } from "../../../src/solver/classes.js";
import type { FlatProblem, Problem } from "../../../src/solver/index.js";
import { prepareClasses } from "../../../src/solver/js/prepare.js";
import { solveClasses } from "../../../src/solver/js/solve-classes.js";
import { type Outcome, watch } from "../../../src/solver/limits.js";
import { budgetToGrid, chooseScale, largestMagnitude, toGrid } from "../../../src/solver/quantise.js";
import type { Answer } from "../answer.js";
import type { Contender } from "./contender.js";
import { toFlat } from "./halp.js";

// The flat solver's very steps in plain JavaScript, from the same typed arrays: what the WASM is compared with.

interface OnGrid {
  readonly classes: Classes;
  readonly valueScale: number;
  readonly weightScale: number;
}

function quantise({ offset, value, latency }: FlatProblem): OnGrid {
  const count = offset.length - 1;
  let valueSum = 0;
  let weightSum = 0;
  for (let l = 0; l < count; l++) {
    valueSum += largestMagnitude(value.subarray(offset[l]!, offset[l + 1]!));
    weightSum += largestMagnitude(latency.subarray(offset[l]!, offset[l + 1]!));
  }
  const valueScale = chooseScale([value], valueSum);
  const weightScale = chooseScale([latency], weightSum);
  const classes: Classes = {
    count,
    offset: new Int32Array(count + 1),
    value: new Float64Array(value.length),
    weight: new Float64Array(value.length),
    option: new Int32Array(value.length),
    valueTotal: valueSum * valueScale + count,
  };
  let n = 0;
  for (let l = 0; l < count; l++) {
    for (let j = offset[l]!; j < offset[l + 1]!; j++) {
      if (Number.isNaN(latency[j]!)) continue;
      classes.value[n] = toGrid(value[j]!, valueScale);
      classes.weight[n] = toGrid(latency[j]!, weightScale);
      classes.option[n] = j - offset[l]!;
      n++;
    }
    classes.offset[l + 1] = n;
    if (n === classes.offset[l]) throw new Error(`every option of variable ${l} is forbidden`);
  }
  return { classes, valueScale, weightScale };
}

const clock = (): number => performance.now();

function solveFlat(flat: FlatProblem, budget: number, limitSeconds: number): Outcome {
  const { classes, weightScale } = quantise(flat);
  return solveClasses(
    prepareClasses(classes),
    budgetToGrid(budget, weightScale, classes.count),
    watch({ timeLimitMs: limitSeconds * 1000 }, clock),
  );
}

function read(problem: Problem, scale: number, { status, value, choice }: Outcome): Answer {
  return {
    status: status === "unknown" ? "unfinished" : status,
    value: value / scale,
    choice: choice === null ? null : Array.from(choice).slice(0, problem.variables.length),
  };
}

export const plainJsContenders = {
  js: {
    what: "the same algorithm in plain JavaScript, from the same typed arrays, one shot",
    unary: true,
    joint: false,
    exact: true,
    async load(limitSeconds) {
      return (problem, budget) => {
        const flat = toFlat(problem);
        const { valueScale } = quantise(flat);
        return {
          run: () => solveFlat(flat, budget, limitSeconds),
          read: (raw) => read(problem, valueScale, raw as Outcome),
        };
      };
    },
  },
  "js-again": {
    what: "the same algorithm in plain JavaScript, prepared",
    unary: true,
    joint: false,
    exact: true,
    async load(limitSeconds) {
      return (problem, budget) => {
        const { classes, valueScale, weightScale } = quantise(toFlat(problem));
        const prepared = prepareClasses(classes);
        const grid = budgetToGrid(budget, weightScale, classes.count);
        return {
          run: () => solveClasses(prepared, grid, watch({ timeLimitMs: limitSeconds * 1000 }, clock)),
          read: (raw) => read(problem, valueScale, raw as Outcome),
        };
      };
    },
  },
} satisfies Record<string, Contender>;
