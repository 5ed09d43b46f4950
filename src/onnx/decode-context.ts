import { HalpError } from "../errors.js";
import type { Tensor } from "../graph/ir.js";
import { type Copy, rememberSource } from "./sources.js";

/** Bounds on what a file may ask of its reader. */
export interface DecodeLimits {
  /** Graphs within graphs (bodies of If, Loop and Scan). Default 32. */
  readonly graphDepth?: number;
  /** Nodes, tensors, values and attributes in all. Default 1 million. */
  readonly objects?: number;
  /** Of the model file itself; its external data is bounded by the files that it lies in. Default 2^34. */
  readonly fileBytes?: number;
}

export const defaultLimits: Required<DecodeLimits> = { graphDepth: 32, objects: 1_000_000, fileBytes: 2 ** 34 };

/** An object of the IR while it is being read. */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What one reading of a model carries along. */
export interface DecodeContext {
  readonly file: string | undefined;
  readonly limits: Required<DecodeLimits>;
  /** Bytes of a tensor that lies in another file. */
  readonly resolveExternal?: ((tensor: Tensor) => Uint8Array) | undefined;
  /** Tensors met so far whose elements had to be copied. */
  readonly copies: Copy[];
  objects: number;
}

export function formatError(context: { readonly file?: string | undefined }, what: string): HalpError {
  return new HalpError("HALP_ONNX_FORMAT", `${what} Export the model again, or check that it is an ONNX file.`, {
    ...(context.file === undefined ? {} : { file: context.file }),
  });
}

/** Counts an object against the limit. */
function countObject(context: DecodeContext): void {
  if (++context.objects > context.limits.objects)
    throw new HalpError(
      "HALP_ONNX_LIMIT",
      `The model holds more than ${context.limits.objects} objects (nodes, tensors, values, attributes); raise limits.objects to read it.`,
      context.file === undefined ? {} : { file: context.file },
    );
}

/** Decodes a message, and remembers its bytes beside what became of it. */
export function remembered<T extends object>(
  bytes: Uint8Array,
  context: DecodeContext,
  decode: () => T,
  name?: string,
): T {
  countObject(context);
  const before = context.copies.length;
  const decoded = decode();
  rememberSource(decoded, bytes, context.copies.slice(before), name);
  return decoded;
}
