/** One step of an optimiser, as nodes of a graph. */
import { sizeOf } from "../graph/tensors.js";
import type { Emit } from "../operators/emit.js";

/**
 * - `sgd`: v = momentum v + g; w -= lr (v, or g + momentum v with Nesterov), g with weight decay * w added (Sutskever et
 *   al. 2013, in the form of PyTorch: the learning rate stands outside of v).
 * - `adamw`: decoupled weight decay (Loshchilov and Hutter 2019).
 */
export type Optimizer =
  | { readonly kind: "sgd"; readonly momentum?: number; readonly nesterov?: boolean; readonly weightDecay?: number }
  | {
      readonly kind: "adamw";
      readonly beta1?: number;
      readonly beta2?: number;
      readonly epsilon?: number;
      readonly weightDecay?: number;
    };

/** Names of the state that the optimiser keeps for each parameter, each of the parameter's shape, zeros at first. */
export function stateOf(optimizer: Optimizer): readonly string[] {
  if (optimizer.kind === "adamw") return ["mean", "square"];
  return (optimizer.momentum ?? 0) > 0 ? ["momentum"] : [];
}

export function stateName(kind: string, parameter: string): string {
  return `${kind} of ${parameter}`;
}

/** The parameter that a tensor is the optimiser's state of. */
export function ownerOf(name: string): string {
  return name.replace(/^(momentum|mean|square) of /, "");
}

/** Numbers that change from step to step, all scalars. */
export interface StepInputs {
  readonly learningRate: string;
  /** 1 / (1 - beta^t) for both moments, of AdamW. */
  readonly correction1: string;
  readonly correction2: string;
}

/** @param step counts from 1 */
export function corrections(optimizer: Optimizer, step: number): readonly [number, number] {
  if (optimizer.kind === "sgd") return [1, 1];
  const { beta1 = 0.9, beta2 = 0.999 } = optimizer;
  return [1 / (1 - beta1 ** step), 1 / (1 - beta2 ** step)];
}

/** Nodes that make the next weight and the next state. Vectors (biases, scales of normalisations) do not decay. */
export function emitUpdate(
  e: Emit,
  optimizer: Optimizer,
  parameter: { readonly name: string; readonly dims: readonly number[] },
  gradient: string,
  state: readonly string[],
  inputs: StepInputs,
): { readonly weight: string; readonly state: readonly string[] } {
  const { name, dims } = parameter;
  // As vectors: ONNX Runtime takes twenty times as long for a scalar times a tensor whose last extents are 1.
  const flat = (x: string) => (dims.length === 1 ? x : e.reshape(x, [sizeOf(dims)]));
  const shaped = (x: string) => (dims.length === 1 ? x : e.reshape(x, dims));
  const decay = dims.length > 1 ? (optimizer.weightDecay ?? 0) : 0;
  const rest = [decay, flat(name), flat(gradient), state.map(flat), inputs] as const;
  const next = optimizer.kind === "sgd" ? emitSgd(e, optimizer, ...rest) : emitAdamW(e, optimizer, ...rest);
  return { weight: shaped(next.weight), state: next.state.map(shaped) };
}

type Update<K extends Optimizer["kind"]> = (
  e: Emit,
  optimizer: Optimizer & { readonly kind: K },
  decay: number,
  weight: string,
  gradient: string,
  state: readonly string[],
  inputs: StepInputs,
) => { readonly weight: string; readonly state: readonly string[] };

const emitSgd: Update<"sgd"> = (e, { momentum = 0, nesterov = false }, decay, weight, gradient, [velocity], inputs) => {
  const scaled = (x: string, factor: number) => e.mul(x, e.scalar(factor));
  const g = decay > 0 ? e.add(gradient, scaled(weight, decay)) : gradient;
  if (velocity === undefined) return { weight: e.sub(weight, e.mul(g, inputs.learningRate)), state: [] };
  const next = e.add(scaled(velocity, momentum), g);
  const direction = nesterov ? e.add(g, scaled(next, momentum)) : next;
  return { weight: e.sub(weight, e.mul(direction, inputs.learningRate)), state: [next] };
};

const emitAdamW: Update<"adamw"> = (e, optimizer, decay, weight, gradient, [mean = "", square = ""], inputs) => {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = optimizer;
  const scaled = (x: string, factor: number) => e.mul(x, e.scalar(factor));
  const nextMean = e.add(scaled(mean, beta1), scaled(gradient, 1 - beta1));
  const nextSquare = e.add(scaled(square, beta2), scaled(e.square(gradient), 1 - beta2));
  const deviation = e.add(e.op("Sqrt", [e.mul(nextSquare, inputs.correction2)]), e.scalar(epsilon));
  const adapted = e.div(e.mul(nextMean, inputs.correction1), deviation);
  const direction = decay > 0 ? e.add(adapted, scaled(weight, decay)) : adapted;
  return { weight: e.sub(weight, e.mul(direction, inputs.learningRate)), state: [nextMean, nextSquare] };
};
