import { existsSync, readFileSync } from "node:fs";
import type { Problem } from "../../../src/solver/index.js";
import { normal, randomFrom } from "./random.js";

// Problems over latencies measured on a GPU (TF-NAS, Titan RTX, batch 32): real staircases, with plateaus and steps down.
// The importances are made up.

/** The tables lie beside the repository; where they are absent the suite is skipped. */
export const measuredTables = "../shared/data/tfnas_latency_gpu_measured_points.json";

/** One inverted-residual block, measured over its middle width. */
interface Block {
  readonly fmap: number;
  readonly cin: number;
  readonly cout: number;
  readonly stride: number;
  /** [middle width, ms] */
  readonly mid_ms: readonly (readonly [number, number])[];
}

export const measuredKinds = ["prune", "search"] as const;
export type MeasuredKind = (typeof measuredKinds)[number];

export function hasMeasuredTables(): boolean {
  return existsSync(measuredTables);
}

/**
 * A network of measured blocks, each place at most four deep. `prune`: every place has one of the measured kinds of block, and
 * keeps one of the measured widths. `search`: a place takes any kind at any width. A block that changes nothing of the
 * shape may go as a whole.
 */
export function measuredProblem(kind: MeasuredKind, seed: number): Problem {
  const blocks = JSON.parse(readFileSync(measuredTables, "utf8")) as Block[];
  const random = randomFrom(seed * 6007 + measuredKinds.indexOf(kind));
  const places = new Map<string, Block[]>();
  for (const block of blocks) {
    const place = `${block.fmap} ${block.cin}-${block.cout}`;
    places.set(place, [...(places.get(place) ?? []), block]);
  }
  const variables: { name: string; values: number[] }[] = [];
  const factors: { variables: [string]; latency: number[] }[] = [];
  for (const [place, kinds] of places) {
    const same = kinds[0]!.stride === 1 && kinds[0]!.cin === kinds[0]!.cout;
    for (let depth = 0; depth < (same ? 3 : 1); depth++) {
      const name = `${place}.${depth}`;
      const taken = kind === "search" ? kinds : [kinds[Math.floor(random() * kinds.length)]!];
      const values = same ? [0] : [];
      const latency = same ? [0] : [];
      const scale = Math.exp(0.8 * normal(random));
      for (const { mid_ms } of taken) {
        const widest = mid_ms[mid_ms.length - 1]![0];
        const scores = Array.from({ length: widest }, () => scale * Math.exp(1.2 * normal(random)));
        scores.sort((a, b) => b - a);
        let sum = 0;
        let k = 0;
        for (const [width, ms] of mid_ms) {
          for (; k < width; k++) sum += scores[k]!;
          values.push(sum);
          latency.push(ms);
        }
      }
      variables.push({ name, values });
      factors.push({ variables: [name], latency });
    }
  }
  return { format: "halp.problem/1", unit: "ms", variables, factors };
}
