/** What is fuzzed, and what its inputs are made with. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface Target {
  readonly name: string;
  /** What the file is called in its folder; others may lie beside it. */
  readonly file: string;
  readonly seeds: () => Promise<readonly Uint8Array[]> | readonly Uint8Array[];
  /** Whatever lies in the folder beside the file under test. */
  readonly prepare?: (folder: string) => void | Promise<void>;
  readonly read: (path: string, bytes: Uint8Array) => void | Promise<void>;
}

export const text = (value: unknown) =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));

/** A safetensors file of float32 tensors. */
export function stored(
  shapes: Readonly<Record<string, readonly number[]>>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  let at = 0;
  const header = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const size = 4 * shape.reduce((a, b) => a * b, 1);
      const entry = { dtype: "F32", shape, data_offsets: [at, at + size] };
      at += size;
      return [name, entry];
    }),
  );
  const json = text(metadata ? { __metadata__: metadata, ...header } : header);
  const bytes = new Uint8Array(8 + json.length + at);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

/** Writes an input where its target looks for it. */
export function place(target: Target, folder: string, bytes: Uint8Array): string {
  const path = join(folder, target.file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return path;
}
