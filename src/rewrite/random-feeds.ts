/** Random inputs of a network. */
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { sizeOf } from "../graph/tensors.js";
import { type Feeds, floatTensor, isRuntimeType, zeroTensor } from "../runtime/index.js";

/**
 * Inputs under the analysed dims: float32 ones of numbers from `normal`, others of zeros.
 * @throws HalpError HALP_RUNTIME_TYPE for inputs of types that halp does not feed.
 */
export function randomFeeds(analyzed: AnalyzedGraph, normal: () => number): Feeds {
  const feeds: Record<string, Feeds[string]> = {};
  for (const [name, dims] of analyzed.inputDims) {
    const dtype = analyzed.types.get(name)?.dtype;
    if (dtype === "float32") {
      const data = new Float32Array(sizeOf(dims));
      for (let i = 0; i < data.length; i++) data[i] = normal();
      feeds[name] = floatTensor(data, dims);
    } else if (isRuntimeType(dtype)) feeds[name] = zeroTensor(dtype, dims);
    else
      throw new HalpError("HALP_RUNTIME_TYPE", `Input "${name}" is ${dtype}, for which halp makes no random values.`, {
        name,
      });
  }
  return feeds;
}

/** Standard normal numbers: mulberry32 and Box-Muller. */
export function randomNormal(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
