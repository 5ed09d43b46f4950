/**
 * What was read, beside what became of it: the bytes from which an object of the IR was decoded. The IR is never edited in
 * place, so an object that is still the same object is written by its source bytes: unedited parts of a model come out
 * byte for byte, in whatever order, packing or explicit emptiness their writer chose, also when other parts were
 * edited. An edited part is a new object and is written canonically.
 *
 * Nothing depends on it: without a source an object is written from its fields, with the same meaning.
 */
import type { Tensor } from "../graph/ir.js";

interface Source {
  readonly bytes: Uint8Array;
  /** Tensors within whose elements are copies (decoded from varints, say), not views on `bytes`: should someone have written to these, the source no longer holds. */
  readonly copies: readonly Copy[];
  /** Of an attribute: the name that the bytes give it. */
  readonly name: string | undefined;
}
export interface Copy {
  readonly tensor: Tensor;
  /** Its elements when it was read. */
  readonly asRead: Uint8Array;
}

/**
 * Under a symbol that is not enumerable: spreading an object, cloning it or comparing it leaves its source behind. (A
 * WeakMap would do too, but a million entries cost V8 106 s where this takes 3.)
 */
const SOURCE = Symbol("source");

export function rememberSource(of: object, bytes: Uint8Array, copies: readonly Copy[], name?: string): void {
  const source: Source = { bytes, copies: copies.length === 0 ? NONE : copies, name };
  Object.defineProperty(of, SOURCE, { value: source });
}

const NONE: readonly Copy[] = [];

/** The bytes that still say what the object says, or undefined. */
export function sourceOf(of: object, name?: string): Uint8Array | undefined {
  const source = (of as { readonly [SOURCE]?: Source })[SOURCE];
  if (!source || source.name !== name) return undefined;
  const intact = source.copies.every(({ tensor, asRead }) => Buffer.compare(tensor.bytes, asRead) === 0);
  return intact ? source.bytes : undefined;
}
