/** Arrays whose rows are read one by one, from memory or from a file of any size. */
import { type FileHandle, open } from "node:fs/promises";
import { fileError, formatError } from "./errors.js";
import { readNpyHeader } from "./npy.js";
import type { NumberArray, NumberType } from "./numbers.js";

/** Rows stacked along the first axis of an array. */
export interface ArrayStore {
  readonly type: NumberType;
  readonly littleEndian: boolean;
  readonly shape: readonly number[];
  open(): Promise<ArrayReader>;
}

export interface ArrayReader {
  read(byteOffset: number, byteLength: number): Uint8Array | Promise<Uint8Array>;
  close?(): Promise<void>;
}

export function memoryStore(array: NumberArray): ArrayStore {
  const read = (at: number, length: number): Uint8Array => array.bytes.subarray(at, at + length);
  return { ...array, open: async () => ({ read }) };
}

/** An .npy file of any size: only the rows asked for are read. */
export async function npyStore(path: string): Promise<ArrayStore> {
  const header = await readNpyHeader(path);
  return {
    ...header,
    open: async () => {
      let handle: FileHandle;
      try {
        handle = await open(path);
      } catch (cause) {
        throw fileError(path, cause);
      }
      return {
        read: async (at, length) => {
          const buffer = new Uint8Array(length);
          const { bytesRead } = await handle.read(buffer, 0, length, header.dataOffset + at);
          if (bytesRead !== length) throw formatError(path, "truncated since it was opened.");
          return buffer;
        },
        close: () => handle.close(),
      };
    },
  };
}
