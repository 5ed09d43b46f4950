/**
 * Tensors whose elements memory does not hold: they are read, or made of another tensor's, each time that they are asked
 * for, and kept by nobody. A network larger than memory allows for is pruned with these.
 *
 * A lazy tensor is a {@link Tensor} like any other whose `bytes` take time. Spreading it makes a plain tensor of it, with the
 * elements in memory; {@link deriveTensor} does not.
 */
import type { Tensor } from "./ir.js";

/** A tensor without its elements. */
export type TensorFields = Omit<Tensor, "bytes">;

/** Lengths of the elements of lazy tensors. */
const lengths = new WeakMap<Tensor, number>();

/** @param load makes the elements, `byteLength` bytes; called each time that they are asked for */
export function lazyTensor(fields: TensorFields, byteLength: number, load: () => Uint8Array): Tensor {
  const tensor = Object.defineProperty({ ...fields }, "bytes", { enumerable: true, get: load }) as Tensor;
  lengths.set(tensor, byteLength);
  return tensor;
}

export function isLazy(tensor: Tensor): boolean {
  return lengths.has(tensor);
}

/** Length of the elements in bytes; they are not read for it. */
export function byteLengthOf(tensor: Tensor): number {
  return lengths.get(tensor) ?? tensor.bytes.byteLength;
}

/**
 * A tensor with other fields, and elements made of those of this one: lazy, if this one is.
 * @param fields what changes; a field set to undefined goes
 * @param byteLength of the new elements
 */
export function deriveTensor(
  tensor: Tensor,
  fields: { readonly [K in keyof TensorFields]?: TensorFields[K] | undefined },
  byteLength: number = byteLengthOf(tensor),
  bytesOf: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes,
): Tensor {
  const { bytes: _, ...others } = Object.getOwnPropertyDescriptors(tensor);
  const made: Record<string, unknown> = { ...Object.defineProperties({}, others), ...fields };
  for (const [name, value] of Object.entries(made)) if (value === undefined) delete made[name];
  const complete = made as unknown as TensorFields;
  if (isLazy(tensor)) return lazyTensor(complete, byteLength, () => bytesOf(tensor.bytes));
  return { ...complete, bytes: bytesOf(tensor.bytes) };
}
