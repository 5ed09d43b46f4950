/** Seeded data to measure with. */
import { sizeOf } from "../graph/tensors.js";
import { type RuntimeTensor, type RuntimeType, zeroTensor } from "./tensor.js";

/** Uniform numbers in [0, 1), the same for the same seed (mulberry32). */
export function uniform(seed: number): () => number {
  let s = seed >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Floats uniform in [-1, 1); other types are zeros, which every operator accepts as an index or a flag. */
export function randomTensor(dtype: RuntimeType, dims: readonly number[], seed: number): RuntimeTensor {
  const t = zeroTensor(dtype, dims);
  if (dtype !== "float32" && dtype !== "float64") return t;
  const next = uniform(seed);
  const data = t.data as Float32Array | Float64Array;
  for (let i = 0; i < sizeOf(dims); i++) data[i] = 2 * next() - 1;
  return t;
}
