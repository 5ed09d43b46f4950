/** Weights that were trained elsewhere, put into a network by the names of its initialisers. */
import { didYouMean, HalpError } from "../errors.js";
import { findParameters, withWeights } from "../finetune/index.js";
import type { Model, Tensor } from "../graph/ir.js";
import { float32Tensor } from "../graph/tensors.js";
import { findOperator } from "../operators/index.js";
import type { NamedArray } from "./read-arrays.js";

export interface ImportOptions {
  /** What an initialiser is called in the file, where it has another name there. */
  readonly names?: Readonly<Record<string, string>>;
  /** Weights that the file does not have keep their values; otherwise all must be there. */
  readonly partial?: boolean;
}

export interface ImportResult {
  readonly model: Model;
  /** Initialisers with values from the file. */
  readonly taken: readonly string[];
  /** Weights and running statistics that kept their values. */
  readonly left: readonly string[];
  /** Arrays of the file that the network has no place for. */
  readonly unused: readonly string[];
}

/**
 * @param arrays by name; types that are not floating-point numbers are never taken for weights
 * @throws HalpError HALP_WEIGHTS_MISSING, HALP_WEIGHTS_SHAPE, HALP_WEIGHTS_TYPE, HALP_WEIGHTS_VALUES (not finite),
 * HALP_WEIGHTS_NAMES (`names` speaks of what is not there)
 */
export function importWeights(
  model: Model,
  arrays: ReadonlyMap<string, NamedArray>,
  { names = {}, partial = false }: ImportOptions = {},
): ImportResult {
  const initializers = new Map(model.graph.initializers.map((t) => [t.name, t]));
  checkNames(names, initializers, arrays);
  const values = new Map<string, Tensor>();
  const used = new Set<string>();
  for (const [name, tensor] of initializers) {
    const source = Object.hasOwn(names, name) ? (names[name] as string) : name;
    const array = arrays.get(source);
    if (!array || tensor.dtype !== "float32") continue;
    values.set(name, converted(tensor, source, array));
    used.add(source);
  }
  const left = weightsOf(model).filter((name) => !values.has(name));
  const unused = [...arrays.keys()].filter((name) => !used.has(name));
  const [missing] = left;
  if (values.size === 0 || (missing !== undefined && !partial))
    throw new HalpError(
      "HALP_WEIGHTS_MISSING",
      `${left.length} of the network's weights are not in the file, "${missing}" among them${didYouMean(missing ?? "", unused)} ` +
        `The file has ${listed([...arrays.keys()])}. ` +
        (values.size === 0
          ? "None of its names is a name of the network: say which is which with --names."
          : "Say what they are called there with --names, or leave them as they are with --partial."),
      missing === undefined ? {} : { name: missing },
    );
  return { model: withWeights(model, values), taken: [...values.keys()], left, unused };
}

/** What a network that has learnt elsewhere brings back: what operators learn, and their running statistics. */
function weightsOf({ graph }: Model): string[] {
  const initializers = new Map(graph.initializers.map((t) => [t.name, t]));
  const statistics = graph.nodes.flatMap((node) => {
    const slots = findOperator(node.opType, node.domain)?.training?.statistics ?? [];
    return slots.map((slot) => node.inputs[slot] ?? "");
  });
  const parameters = findParameters({ graph }, findOperator).map((p) => p.name);
  return [...new Set([...parameters, ...statistics])].filter((name) => initializers.get(name)?.dtype === "float32");
}

function converted(tensor: Tensor, source: string, array: NamedArray): Tensor {
  const { name, dims } = tensor;
  if (!/^b?float/.test(array.type))
    throw new HalpError("HALP_WEIGHTS_TYPE", `"${source}" holds ${array.type}; weights are floating-point numbers.`, {
      name,
    });
  if (array.shape.join() !== dims.join())
    throw new HalpError(
      "HALP_WEIGHTS_SHAPE",
      `"${name}" is [${dims}] in the network; "${source}" is [${array.shape}] in the file. Weights of the whole network must be cut first: \`halp export\` tells which places stay.`,
      { name },
    );
  const floats = array.floats();
  const bad = floats.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0)
    throw new HalpError(
      "HALP_WEIGHTS_VALUES",
      `"${source}" holds ${floats[bad]} at place ${bad}; weights are finite numbers. The training diverged, or the file is of another type.`,
      { name },
    );
  return float32Tensor(name, dims, floats);
}

function checkNames(
  names: Readonly<Record<string, string>>,
  initializers: ReadonlyMap<string, Tensor>,
  arrays: ReadonlyMap<string, NamedArray>,
): void {
  for (const [name, source] of Object.entries(names)) {
    if (!initializers.has(name))
      throw new HalpError(
        "HALP_WEIGHTS_NAMES",
        `The network has no initialiser "${name}"${didYouMean(name, initializers.keys())} It has ${listed([...initializers.keys()])}.`,
        { name },
      );
    if (!arrays.has(source))
      throw new HalpError(
        "HALP_WEIGHTS_NAMES",
        `The file has no array "${source}"${didYouMean(source, arrays.keys())} It has ${listed([...arrays.keys()])}.`,
        { name: source },
      );
  }
}

/** The first few of many names. */
function listed(names: readonly string[]): string {
  const first = names.slice(0, 8).map((n) => `"${n}"`);
  return names.length === 0 ? "none" : `${first.join(", ")}${names.length > 8 ? ` and ${names.length - 8} more` : ""}`;
}
