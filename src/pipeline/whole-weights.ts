/**
 * Weights of a network that is trained while it loses channels: kept at the original's size, so that any plan of the
 * original can be applied to what was learnt. What is gone keeps the values it had last.
 */
import { HalpError } from "../errors.js";
import { ownerOf, type Tensors, withWeights } from "../finetune/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Tensor } from "../graph/ir.js";
import { float32Of, float32Tensor, sizeOf } from "../graph/tensors.js";

/** Old positions that stay along an axis of a value; undefined where all stay. */
export type KeptOf = (name: string, axis: number) => Int32Array | undefined;

export interface WholeWeights {
  /** The original with its present weights. */
  readonly analyzed: AnalyzedGraph;
  /** All that was learnt, and the optimiser's state, at the original's size. */
  readonly tensors: Tensors;
  /** Takes over what a network with fewer channels learnt. */
  absorb(tensors: Tensors, keptOf: KeptOf): void;
  /** The part of it that a network with fewer channels goes on with. */
  partFor(keptOf: KeptOf): Tensors;
  /** @throws HalpError HALP_CHECKPOINT where they are not the original's */
  restore(tensors: Tensors): void;
}

export function openWholeWeights(original: AnalyzedGraph): WholeWeights {
  const initializers = new Map(original.graph.initializers.map((t) => [t.name, t]));
  const whole = new Map<string, { dims: readonly number[]; data: Float32Array }>();
  let analyzed = original;
  const update = () => {
    const values = new Map<string, Tensor>();
    for (const [name, { dims, data }] of whole)
      if (initializers.has(name)) values.set(name, float32Tensor(name, dims, data));
    const model = withWeights(original.model, values);
    const constants = new Map([...original.constants].map(([name, t]) => [name, values.get(name) ?? t]));
    analyzed = { ...original, model, graph: model.graph, constants };
  };
  const ownerNamed = (name: string) => (initializers.has(name) ? name : ownerOf(name));
  /** Offsets, at the original's size, of a part's elements in their order. */
  const placesOf = (owner: string, dims: readonly number[], keptOf: KeptOf): Int32Array => {
    let places = Int32Array.of(0);
    dims.forEach((extent, axis) => {
      const kept = keptOf(owner, axis);
      const positions = kept ?? Int32Array.from({ length: extent }, (_, i) => i);
      const next = new Int32Array(places.length * positions.length);
      places.forEach((place, i) => {
        positions.forEach((position, j) => {
          next[i * positions.length + j] = place * extent + position;
        });
      });
      places = next;
    });
    return places;
  };
  return {
    get analyzed() {
      return analyzed;
    },
    tensors: whole,
    absorb(tensors, keptOf) {
      for (const [name, part] of tensors) {
        const owner = initializers.get(ownerNamed(name));
        if (!owner) continue;
        const { dims } = owner;
        // State of the optimiser begins at zero.
        const initial = () => (owner.name === name ? float32Of(owner) : new Float32Array(sizeOf(dims)));
        const before = whole.get(name)?.data ?? initial();
        // A new array: what was handed out keeps its values.
        const data = Float32Array.from(before);
        placesOf(owner.name, dims, keptOf).forEach((place, i) => {
          data[place] = part.data[i] as number;
        });
        whole.set(name, { dims, data });
      }
      update();
    },
    partFor(keptOf) {
      const parts = new Map<string, { dims: readonly number[]; data: Float32Array }>();
      for (const [name, { dims, data }] of whole) {
        const owner = ownerNamed(name);
        const places = placesOf(owner, dims, keptOf);
        parts.set(name, {
          dims: dims.map((d, axis) => keptOf(owner, axis)?.length ?? d),
          data: Float32Array.from(places, (place) => data[place] as number),
        });
      }
      return parts;
    },
    restore(tensors) {
      for (const [name, { dims }] of tensors) {
        const owner = initializers.get(ownerNamed(name));
        if (owner?.dims.join() !== dims.join())
          throw new HalpError(
            "HALP_CHECKPOINT",
            `The checkpoint is of another network: "${name}" is [${dims.join(", ")}] there, and ${owner ? `[${owner.dims.join(", ")}]` : "nothing"} here. Begin the run anew.`,
            { name },
          );
      }
      whole.clear();
      for (const [name, tensor] of tensors) whole.set(name, tensor);
      update();
    },
  };
}
