import type { Problem } from "../../src/solver/index.js";
import {
  denseLatency,
  type HardClass,
  hardClasses,
  hardProblem,
  jointProblem,
  type NetworkName,
  networks,
  pruningProblem,
} from "./instances.js";

/** An instance by its recipe: children make it for themselves. */
export type Instance =
  | {
      readonly suite: "pruning" | "joint";
      readonly network: NetworkName;
      readonly seed: number;
      readonly ratio: number;
    }
  | {
      readonly suite: "hard";
      readonly kind: HardClass;
      readonly classes: number;
      readonly items: number;
      readonly range: number;
      readonly seed: number;
    };

export const ratios = [0.3, 0.45, 0.55, 0.8] as const;

export function problemOf(instance: Instance): { readonly problem: Problem; readonly budget: number } {
  if (instance.suite === "hard") {
    const { kind, classes, items, range, seed } = instance;
    const problem = hardProblem(kind, classes, items, range, seed);
    return { problem, budget: problem.budget! };
  }
  const make = instance.suite === "joint" ? jointProblem : pruningProblem;
  const problem = make(instance.network, instance.seed);
  return { problem, budget: Math.floor(instance.ratio * denseLatency(problem)) };
}

/** The group an instance is reported under. */
export function groupOf(instance: Instance): string {
  return instance.suite === "hard"
    ? `${instance.kind} ${instance.classes}x${instance.items} R=${instance.range}`
    : `${instance.suite} ${instance.network}`;
}

const seedsTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

export const suites: Readonly<Record<string, (seeds: number) => Instance[]>> = {
  pruning: (seeds) =>
    (Object.keys(networks) as NetworkName[])
      .filter((n) => n !== "resnet152")
      .flatMap((network) =>
        seedsTo(network === "chain300x128" ? Math.ceil(seeds / 4) : seeds).flatMap((seed) =>
          ratios.map((ratio): Instance => ({ suite: "pruning", network, seed, ratio })),
        ),
      ),
  joint: (seeds) =>
    (["resnet50", "resnet101", "resnet152"] as const).flatMap((network) =>
      seedsTo(seeds).flatMap((seed) => ratios.map((ratio): Instance => ({ suite: "joint", network, seed, ratio }))),
    ),
  /** Middling sizes, on which every contender can be asked often: for counting disagreements. */
  agree: (seeds) =>
    hardClasses.flatMap((kind) =>
      seedsTo(seeds).map((seed): Instance => ({ suite: "hard", kind, classes: 15, items: 10, range: 1000, seed })),
    ),
  hard: (seeds) =>
    hardClasses.flatMap((kind) =>
      (
        [
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
};
