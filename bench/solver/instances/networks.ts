import type { Factor, Problem } from "../../../src/solver/index.js";
import { normal, randomFrom } from "./random.js";

// Problems shaped like those of pruning real networks, with latencies of a GPU-like device. Made from a seed, the same on
// every machine.

/** A convolution that writes a group: where its input channels come from (-1: the image), its kernel and output side. */
interface Layer {
  readonly input: number;
  readonly kernel: number;
  readonly side: number;
}

/** A coupling group: channels, channels to a step, the convolutions that write it. */
interface Group {
  readonly name: string;
  readonly channels: number;
  readonly step: number;
  readonly layers: Layer[];
}

/** Latency in ns of a convolution on a GPU-like device: tiles of channels, waves of tiles, memory traffic, a launch. */
function convolutionNs(input: number, output: number, { kernel, side }: Layer, batch = 256): number {
  if (input <= 0 || output <= 0) return 0;
  const tiled = (n: number, a: number, ta: number, tb: number): number =>
    a * Math.ceil(n / ta) * ta + (1 - a) * Math.ceil(n / tb) * tb;
  const pixels = batch * side * side;
  const tiles = Math.ceil(pixels / 128) * Math.ceil(output / 64);
  const waves = Math.ceil(tiles / 84) * 84;
  const busy = 0.55 + 0.45 * Math.min(1, tiles / 336);
  const operations = 2 * pixels * tiled(output, 0.7, 32, 64) * tiled(input, 0.6, 32, 8) * kernel * kernel;
  const bytes = 2 * pixels * (input + output) + 2 * input * output * kernel * kernel;
  const compute = (operations * (0.85 + (0.15 * waves) / tiles)) / (6e4 * busy);
  const traffic = bytes / 900;
  return 6000 + Math.max(compute, traffic) + 0.25 * Math.min(compute, traffic);
}

/** The groups of a bottleneck ResNet: one per stage's shared width, two inside each block. */
function resnet(blocks: readonly number[]): Group[] {
  const groups: Group[] = [];
  const add = (name: string, channels: number, step: number, layers: Layer[]): number =>
    groups.push({ name, channels, step, layers }) - 1;
  let before = add("conv1", 64, 8, [{ input: -1, kernel: 7, side: 112 }]);
  blocks.forEach((count, s) => {
    const channels = 64 << s;
    const side = 56 >> s;
    const stage = add(`stage${s + 1}`, channels * 4, 32, [{ input: before, kernel: 1, side }]);
    for (let b = 0; b < count; b++) {
      const input = b === 0 ? before : stage;
      const a = add(`stage${s + 1}.${b}.a`, channels, 8, [
        { input, kernel: 1, side: b === 0 && s > 0 ? side * 2 : side },
      ]);
      const c = add(`stage${s + 1}.${b}.b`, channels, 8, [{ input: a, kernel: 3, side }]);
      groups[stage]!.layers.push({ input: c, kernel: 1, side });
    }
    before = stage;
  });
  return groups;
}

/** An SSD on ResNet-50's first three stages, with its extra layers. */
function ssd(): Group[] {
  const groups = resnet([3, 4, 6]);
  let before = groups.findIndex((g) => g.name === "stage3");
  for (const [i, [a, b, side]] of [
    [256, 512, 38],
    [256, 512, 19],
    [256, 512, 10],
    [256, 512, 10],
    [128, 256, 5],
    [128, 256, 3],
  ].entries()) {
    groups.push({ name: `extra${i}.a`, channels: a!, step: 8, layers: [{ input: before, kernel: 1, side: side! }] });
    const layers = [{ input: groups.length - 1, kernel: 3, side: Math.max(1, side! >> 1) }];
    before = groups.push({ name: `extra${i}.b`, channels: b!, step: 4, layers }) - 1;
  }
  return groups;
}

/** A plain chain of many wide layers. */
function chain(count: number, options: number): Group[] {
  const random = randomFrom(5);
  return Array.from({ length: count }, (_, i) => ({
    name: `layer${i}`,
    channels: options * 8,
    step: 8,
    layers: [{ input: i - 1, kernel: random() < 0.5 ? 1 : 3, side: [56, 28, 14, 7][Math.floor((4 * i) / count)]! }],
  }));
}

export const networks = {
  resnet50: () => resnet([3, 4, 6, 3]),
  resnet101: () => resnet([3, 4, 23, 3]),
  resnet152: () => resnet([3, 8, 36, 3]),
  ssd,
  chain300x128: () => chain(300, 128),
} as const;
export type NetworkName = keyof typeof networks;

/** Kept-channel values: the sum of the best k of log-normal importances. */
function values(groups: readonly Group[], random: () => number): number[][] {
  return groups.map((g) => {
    const scale = (Math.exp(0.8 * normal(random)) * (0.3 + g.layers.length)) / Math.sqrt(g.channels);
    const spread = 0.8 + 0.6 * random();
    const scores = Array.from({ length: g.channels }, () => scale * Math.exp(spread * normal(random)));
    scores.sort((a, b) => b - a);
    const sums = [0];
    for (let k = 0, sum = 0; k < g.channels; k++) {
      sum += scores[k]!;
      if ((k + 1) % g.step === 0) sums.push(sum);
    }
    return sums;
  });
}

const noise = 0.015;

/** HALP's own form: each layer's latency as a function of its output channels alone, measured with noise. */
export function pruningProblem(network: NetworkName, seed: number): Problem {
  const groups = networks[network]();
  const random = randomFrom(seed);
  const worth = values(groups, randomFrom(seed * 7919 + 1));
  return {
    format: "halp.problem/1",
    unit: "ns",
    variables: groups.map((g, i) => ({ name: g.name, values: worth[i]! })),
    factors: groups.map((g, i) => ({
      variables: [g.name],
      latency: worth[i]!.map((_, k) => {
        let total = 0;
        for (const layer of g.layers) {
          const input = layer.input < 0 ? 3 : groups[layer.input]!.channels;
          total += convolutionNs(input, k * g.step, layer) * (1 + noise * normal(random));
        }
        return k === 0 ? 0 : Math.max(100, Math.round(total));
      }),
    })),
  };
}

/**
 * The joint form: each layer's latency as a function of its input and its output channels, measured with noise.
 * @param speedOf how much longer than by the formula the device takes for a layer
 */
function jointFactors(
  groups: readonly Group[],
  worth: readonly number[][],
  random: () => number,
  speedOf: () => number,
): Factor[] {
  const measured = (input: number, output: number, layer: Layer, speed: number): number =>
    input === 0 || output === 0
      ? 0
      : Math.max(100, Math.round(speed * convolutionNs(input, output, layer) * (1 + noise * normal(random))));
  return groups.flatMap((g, i) =>
    g.layers.map((layer): Factor => {
      const speed = speedOf();
      if (layer.input < 0)
        return { variables: [g.name], latency: worth[i]!.map((_, k) => measured(3, k * g.step, layer, speed)) };
      const from = groups[layer.input]!;
      return {
        variables: [from.name, g.name],
        latency: worth[layer.input]!.map((_, a) =>
          worth[i]!.map((_, b) => measured(a * from.step, b * g.step, layer, speed)),
        ),
      };
    }),
  );
}

export function jointProblem(network: NetworkName, seed: number): Problem {
  const groups = networks[network]();
  const worth = values(groups, randomFrom(seed * 7919 + 1));
  return {
    format: "halp.problem/1",
    unit: "ns",
    variables: groups.map((g, i) => ({ name: g.name, values: worth[i]! })),
    factors: jointFactors(groups, worth, randomFrom(seed), () => 1),
  };
}

/** How far apart devices are in what a layer costs them: the deviation of the logarithm. */
const unlikeness = 0.3;

/** The joint form on several devices, which like and dislike different layers, under a budget each: a share of its dense latency. */
export function devicesProblem(network: NetworkName, seed: number, ratios: readonly number[]): Problem {
  const problem = jointProblem(network, seed);
  const groups = networks[network]();
  const worth = problem.variables.map((v) => [...v.values]);
  const factors = ratios.map((_, d) => {
    const random = randomFrom(seed + 104729 * d);
    const unlike = randomFrom(seed * 31 + d);
    return jointFactors(groups, worth, random, () => (d === 0 ? 1 : Math.exp(unlikeness * normal(unlike))));
  });
  const name = (d: number): string => `device${d + 1}`;
  return {
    ...problem,
    budgets: Object.fromEntries(
      ratios.map((r, d) => [name(d), Math.floor(r * denseLatency({ ...problem, factors: factors[d]! }))]),
    ),
    factors: factors.flatMap((of, d) => of.map((f) => ({ ...f, device: name(d) }))),
  };
}

/** The latency of the dense network: every variable at its last option. */
export function denseLatency(problem: Problem): number {
  return problem.factors.reduce((sum, f) => {
    const last = f.latency[f.latency.length - 1]!;
    return sum + ((Array.isArray(last) ? last[last.length - 1] : last) as number);
  }, 0);
}
