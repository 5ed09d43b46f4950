/** Concrete dimensions for the inputs of a network, from what the model says and what the user gives. */
import { HalpError } from "../errors.js";
import type { Dim, Graph, ValueInfo } from "./ir.js";

export interface InputDimsOptions {
  /** Dims of inputs, by name: what `--input NAME=1x3x320x320` gives. */
  readonly inputs?: Readonly<Record<string, readonly number[]>>;
  /** The same as a map: the `inputDims` of an earlier analysis. Where both name an input, this one counts. */
  readonly inputDims?: ReadonlyMap<string, readonly number[]>;
  /** Extent of the dynamic first dimensions. Default 1. */
  readonly batch?: number;
}

/** A dimension that only a run tells: a name, nothing, or the negative number that some exporters write. */
export function isDynamic(dim: Dim | undefined): dim is string | null | undefined {
  return typeof dim !== "number" || dim < 0;
}

/**
 * Dims of the tensor inputs that are not initialisers, by name. A dynamic first dimension is the batch: 1 unless given.
 * A named dimension that a given shape fixes has that extent wherever the name occurs.
 * @throws HalpError HALP_INPUT_NAME, HALP_INPUT_SHAPE, HALP_DYNAMIC_DIM, HALP_BATCH
 */
export function resolveInputDims(graph: Graph, options: InputDimsOptions = {}): Map<string, readonly number[]> {
  const weights = new Set(graph.initializers.map((t) => t.name));
  const inputs = graph.inputs.filter((i) => !weights.has(i.name) && i.dtype !== undefined);
  const given = new Map([...Object.entries(options.inputs ?? {}), ...(options.inputDims ?? [])]);
  for (const name of given.keys()) if (!inputs.some((i) => i.name === name)) throw unknownInput(name, inputs);
  const { batch } = options;
  if (batch !== undefined && !(Number.isSafeInteger(batch) && batch > 0))
    throw new HalpError("HALP_BATCH", `Expected a batch of 1 or more; came ${batch}.`);

  const extents = new Map<string, number>();
  for (const input of inputs) {
    const dims = given.get(input.name);
    if (dims) checkGiven(input, dims, batch, extents);
  }
  const resolved = new Map<string, readonly number[]>();
  for (const input of inputs) resolved.set(input.name, given.get(input.name) ?? fill(input, batch ?? 1, extents));
  const firsts = [...resolved.values()].filter((dims) => dims.length > 0).map((dims) => dims[0]);
  if (batch !== undefined && firsts.length > 0 && !firsts.includes(batch))
    throw new HalpError(
      "HALP_BATCH",
      `The model has a fixed batch of ${firsts[0]}; it cannot run at batch ${batch}. Use --batch ${firsts[0]}, or export the model with a dynamic batch.`,
    );
  return resolved;
}

function fill(input: ValueInfo, batch: number, extents: ReadonlyMap<string, number>): number[] {
  const { dims } = input;
  if (!dims)
    throw new HalpError(
      "HALP_DYNAMIC_DIM",
      `The model does not say how many dimensions input "${input.name}" has. Give its shape with --input ${input.name}=1x3x320x320 (with your numbers).`,
      { name: input.name },
    );
  return dims.map((dim, axis) => {
    if (!isDynamic(dim)) return dim;
    const bound = typeof dim === "string" ? extents.get(dim) : undefined;
    if (bound !== undefined) return bound;
    if (axis === 0) return batch;
    const label = typeof dim === "string" && dim !== "" ? `${axis} ("${dim}")` : `${axis}`;
    throw new HalpError(
      "HALP_DYNAMIC_DIM",
      `Dimension ${label} of input "${input.name}" is dynamic: its shape is ${show(dims)}. Give it with --input ${input.name}=${example(dims)} (with your numbers).`,
      { name: input.name },
    );
  });
}

function checkGiven(
  input: ValueInfo,
  dims: readonly number[],
  batch: number | undefined,
  extents: Map<string, number>,
): void {
  const refuse = (why: string) =>
    new HalpError(
      "HALP_INPUT_SHAPE",
      `Input "${input.name}" is ${input.dims ? show(input.dims) : "of unknown shape"} in the model; given was ${show(dims)}: ${why}.`,
      { name: input.name },
    );
  if (!dims.every((d) => Number.isSafeInteger(d) && d > 0))
    throw refuse("every dimension must be a whole number above 0");
  if (input.dims && input.dims.length !== dims.length)
    throw refuse(`${input.dims.length} dimensions are wanted, ${dims.length} came`);
  dims.forEach((extent, axis) => {
    const own = input.dims?.[axis];
    if (!isDynamic(own)) {
      if (own !== extent) throw refuse(`dimension ${axis} must be ${own}`);
    } else if (axis === 0 && batch !== undefined && extent !== batch)
      throw refuse(`it has batch ${extent}, but batch ${batch} was asked for`);
    if (typeof own !== "string" || own === "") return;
    const before = extents.get(own) ?? extent;
    if (before !== extent) throw refuse(`dimension "${own}" is ${before} in another input`);
    extents.set(own, extent);
  });
}

function unknownInput(name: string, inputs: readonly ValueInfo[]): HalpError {
  const names = inputs.map((i) => `"${i.name}"`).join(", ");
  return new HalpError("HALP_INPUT_NAME", `The model has no input "${name}"; its inputs are ${names || "none"}.`, {
    name,
  });
}

function show(dims: readonly Dim[]): string {
  return `[${dims.map((d) => (isDynamic(d) ? d || "?" : d)).join(", ")}]`;
}

/** A shape as it might be given: what is fixed, batch 1, three channels, 320 elsewhere. */
function example(dims: readonly Dim[]): string {
  return dims
    .map((d, axis) => (isDynamic(d) ? (axis === 0 ? 1 : axis === 1 && dims.length > 2 ? 3 : 320) : d))
    .join("x");
}
