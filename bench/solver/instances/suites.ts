import type { Problem } from "../../../src/solver/index.js";
import { hasMeasuredTables, type MeasuredKind, measuredKinds, measuredProblem, measuredTables } from "./measured.js";
import { middlingProblem } from "./middling.js";
import { denseLatency, jointProblem, type NetworkName, networks, pruningProblem } from "./networks.js";
import { type HardClass, hardClasses, hardProblem } from "./pisinger.js";

/** An instance by its recipe: children make it for themselves. */
export type Instance =
  | {
      readonly suite: "pruning" | "joint";
      readonly network: NetworkName;
      readonly seed: number;
      /** The budget, as a share of the dense network's latency. */
      readonly ratio: number;
    }
  | {
      readonly suite: "hard";
      readonly kind: HardClass;
      readonly classes: number;
      readonly items: number;
      /** R, the largest weight. */
      readonly range: number;
      readonly seed: number;
    }
  | { readonly suite: "measured"; readonly kind: MeasuredKind; readonly seed: number; readonly ratio: number }
  | { readonly suite: "agree"; readonly seed: number };

export const ratios = [0.3, 0.45, 0.55, 0.8] as const;

export function problemOf(instance: Instance): { readonly problem: Problem; readonly budget: number } {
  switch (instance.suite) {
    case "hard": {
      const { kind, classes, items, range, seed } = instance;
      const problem = hardProblem(kind, classes, items, range, seed);
      return { problem, budget: problem.budget! };
    }
    case "agree":
      return middlingProblem(instance.seed);
    case "measured": {
      const problem = measuredProblem(instance.kind, instance.seed);
      const heaviest = problem.factors.reduce((sum, f) => sum + Math.max(...(f.latency as number[])), 0);
      return { problem, budget: instance.ratio * heaviest };
    }
    default: {
      const make = instance.suite === "joint" ? jointProblem : pruningProblem;
      const problem = make(instance.network, instance.seed);
      return { problem, budget: Math.floor(instance.ratio * denseLatency(problem)) };
    }
  }
}

/** Options over all variables. */
export function optionsOf(instance: Instance): number {
  return problemOf(instance).problem.variables.reduce((n, v) => n + v.values.length, 0);
}

/** The group an instance is reported under. */
export function groupOf(instance: Instance): string {
  switch (instance.suite) {
    case "hard":
      return `${instance.kind} ${instance.classes}x${instance.items} R=${instance.range}`;
    case "agree":
      return "middling";
    case "measured":
      return `TF-NAS ${instance.kind}`;
    default:
      return `${instance.suite} ${instance.network}`;
  }
}

/** Whether an instance has tables over two variables. */
export function isJoint(instance: Instance): boolean {
  return instance.suite === "joint" || (instance.suite === "agree" && instance.seed % 10 >= 8);
}

export function seedsTo(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i + 1);
}

export function networkInstances(suite: "pruning" | "joint", network: NetworkName, seeds: number): Instance[] {
  return seedsTo(seeds).flatMap((seed) => ratios.map((ratio): Instance => ({ suite, network, seed, ratio })));
}

/** Every suite by name, as a function of the number of seeds. */
export const suites = {
  pruning: (seeds) =>
    (Object.keys(networks) as NetworkName[])
      .filter((n) => n !== "resnet152")
      .flatMap((network) =>
        networkInstances("pruning", network, network === "chain300x128" ? Math.ceil(seeds / 4) : seeds),
      ),
  joint: (seeds) =>
    (["resnet50", "resnet101", "resnet152"] as const).flatMap((network) => networkInstances("joint", network, seeds)),
  measured(seeds) {
    if (!hasMeasuredTables()) {
      console.error(`the suite "measured" is skipped: there is no ${measuredTables}`);
      return [];
    }
    return measuredKinds.flatMap((kind) =>
      seedsTo(seeds).flatMap((seed) => ratios.map((ratio): Instance => ({ suite: "measured", kind, seed, ratio }))),
    );
  },
  agree: (seeds) => seedsTo(seeds).map((seed): Instance => ({ suite: "agree", seed })),
  hard: (seeds) =>
    hardClasses.flatMap((kind) =>
      (
        [
          [10, 10],
          [100, 10],
          [100, 100],
          [1000, 100],
        ] as const
      ).flatMap(([classes, items]) =>
        [1000, 10_000].flatMap((range) =>
          seedsTo(seeds).map((seed): Instance => ({ suite: "hard", kind, classes, items, range, seed })),
        ),
      ),
    ),
} satisfies Record<string, (seeds: number) => Instance[]>;

export type SuiteName = keyof typeof suites;
