/** Weights so small that processors compute with them slowly, and results do not change without them. */
import type { Tensor } from "../graph/ir.js";
import { byteLengthOf, deriveTensor, isLazy } from "../graph/lazy-tensor.js";

/**
 * The tensor with its subnormal float32 values (0 < |x| < 2^-126) as zeros of their sign; the same tensor where it has none,
 * or is of another type. Pruning and weight decay leave such weights behind.
 */
export function flushSubnormals(tensor: Tensor): Tensor {
  if (tensor.dtype !== "float32") return tensor;
  if (isLazy(tensor)) return deriveTensor(tensor, {}, byteLengthOf(tensor), flushed);
  const bytes = flushed(tensor.bytes);
  return bytes === tensor.bytes ? tensor : { ...tensor, bytes };
}

/** The same bytes where no subnormal is among them. */
function flushed(bytes: Uint8Array): Uint8Array {
  const words = wordsOf(bytes);
  const first = firstSubnormal(words);
  if (first < 0) return bytes;
  const without = words.slice();
  for (let i = first; i < without.length; i++) {
    const word = without[i] as number;
    if (isSubnormal(word)) without[i] = word & 0x80000000;
  }
  return new Uint8Array(without.buffer);
}

function firstSubnormal(words: Uint32Array): number {
  for (let i = 0; i < words.length; i++) if (isSubnormal(words[i] as number)) return i;
  return -1;
}

/** Exponent bits of zero, and not zero. */
function isSubnormal(word: number): boolean {
  return (word & 0x7f800000) === 0 && (word & 0x7fffffff) !== 0;
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  const count = bytes.byteLength >> 2;
  return bytes.byteOffset % 4 === 0
    ? new Uint32Array(bytes.buffer, bytes.byteOffset, count)
    : new Uint32Array(bytes.slice().buffer, 0, count);
}
