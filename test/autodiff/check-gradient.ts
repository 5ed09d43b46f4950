/** Gradients against central differences of the forward graph, in random directions. */
import { buildGradient, type Gradient, type GradientOptions } from "../../src/autodiff/index.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import type { Model } from "../../src/graph/ir.js";
import { sizeOf } from "../../src/graph/tensors.js";
import { findOperator } from "../../src/operators/index.js";
import { createSession, type RuntimeTensor } from "../../src/runtime/index.js";

export interface Check {
  /** Deviation over what is allowed; above 1 the gradient is wrong. */
  readonly badness: number;
  readonly report: string;
  readonly gradient: Gradient;
}

/** A stream of numbers in [0, 1) that a seed decides. */
export function numbers(seed: number): () => number {
  let state = (seed % 2147483646) + 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return (state - 1) / 2147483646;
  };
}

/**
 * Checks d/dh of sum(r * outputs) along random directions of `wrt`, all at once, by the five-point formula.
 * @param options.slack how much more deviation is allowed than usual
 * @param options.step of the formula; no kink may lie within twice of it from the values
 */
export function checkGradient(
  model: Model,
  feeds: Readonly<Record<string, RuntimeTensor>>,
  wrt: readonly string[],
  options: { seed?: number; step?: number; directions?: number; slack?: number; fed?: GradientOptions["fed"] } = {},
): Check {
  const { seed = 1, step = 0.01, directions = 3, slack = 1 } = options;
  const next = numbers(seed);
  const inputDims = new Map(Object.entries(feeds).map(([name, t]) => [name, t.dims]));
  const fed = new Set(options.fed);
  const analyzed = analyzeGraph(model, findOperator, {
    inputDims: new Map([...inputDims].filter(([name]) => !fed.has(name))),
  });
  const outputs = model.graph.outputs.map((o) => o.name).filter((o) => analyzed.types.get(o)?.dtype === "float32");
  const weights = outputs.map((name) => {
    const dims = analyzed.types.get(name)?.dims ?? [];
    return {
      name,
      dims,
      data: Float32Array.from({ length: sizeOf(dims) }, () => (next() < 0.5 ? -1 : 1) * (0.5 + next())),
    };
  });
  const gradient = buildGradient(analyzed, findOperator, {
    loss: weights.map((w) => ({ value: w.name, input: `seed ${w.name}` })),
    wrt,
    fed: [...fed],
  });
  const forwardModel = fed.size === 0 ? model : asFed(model, fed);
  using forward = createSession(forwardModel, { optimization: "disabled" });
  // Nothing to hand out where every input is flat.
  using backward =
    gradient.gradientOf.size > 0 ? createSession(gradient.model, { optimization: "disabled" }) : undefined;
  const known = new Set(backward?.inputNames);
  const all: Record<string, RuntimeTensor> = { ...feeds };
  for (const w of weights) all[`seed ${w.name}`] = { dtype: "float32", dims: w.dims, data: w.data };
  const made = backward?.run(Object.fromEntries(Object.entries(all).filter(([name]) => known.has(name)))) ?? {};

  let magnitude = 0;
  const loss = (moved: Readonly<Record<string, RuntimeTensor>>): number => {
    const out = forward.run(moved);
    let sum = 0;
    magnitude = 0;
    for (const w of weights) {
      const y = (out[w.name] as RuntimeTensor).data as Float32Array;
      w.data.forEach((r, i) => {
        sum += r * (y[i] as number);
        magnitude += Math.abs(r * (y[i] as number));
      });
    }
    return sum;
  };
  let worst: Check = { badness: 0, report: "", gradient };
  for (let d = 0; d < directions; d++) {
    const direction = new Map(
      wrt.map((name) => [name, Float64Array.from({ length: sizeOf(feeds[name]?.dims ?? []) }, () => 2 * next() - 1)]),
    );
    const at = (h: number) => {
      const moved: Record<string, RuntimeTensor> = { ...feeds };
      for (const [name, u] of direction) {
        const t = feeds[name] as RuntimeTensor;
        moved[name] = { ...t, data: Float32Array.from(t.data as Float32Array, (v, i) => v + h * (u[i] as number)) };
      }
      return loss(moved);
    };
    const measured = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step);
    let told = 0;
    let size = 0;
    for (const [name, u] of direction) {
      const output = gradient.gradientOf.get(name);
      if (output === undefined) continue;
      const g = (made[output] as RuntimeTensor).data as Float32Array;
      if (g.length !== u.length) return { badness: 1e9, report: `gradient of ${name} has another shape`, gradient };
      u.forEach((v, i) => {
        told += v * (g[i] as number);
        size += Math.abs(v * (g[i] as number));
      });
    }
    const allowed = slack * (3e-3 * size + (1e-6 * magnitude) / step + 1e-5);
    const badness = Math.abs(measured - told) / allowed;
    if (!(badness <= worst.badness))
      worst = {
        badness: Number.isNaN(badness) ? 1e9 : badness,
        report: `measured ${measured}, told ${told} (of ${size})`,
        gradient,
      };
  }
  return worst;
}

/** The model with some initialisers as inputs. */
export function asFed(model: Model, fed: ReadonlySet<string>): Model {
  const { graph } = model;
  return {
    ...model,
    graph: {
      ...graph,
      initializers: graph.initializers.filter((t) => !fed.has(t.name)),
      inputs: [
        ...graph.inputs,
        ...graph.initializers
          .filter((t) => fed.has(t.name))
          .map((t) => ({ name: t.name, dtype: t.dtype, dtypeCode: t.dtypeCode, dims: t.dims })),
      ],
    },
  };
}
