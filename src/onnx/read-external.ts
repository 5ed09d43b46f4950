/** Tensors whose elements lie in other files, next to the model. */
import { open, realpath, stat } from "node:fs/promises";
import { dirname, isAbsolute, relative, resolve, sep, win32 } from "node:path";
import { HalpError } from "../errors.js";
import type { Tensor } from "../graph/ir.js";
import { lazyTensor } from "../graph/lazy-tensor.js";
import { type LazyFile, openLazily } from "./lazy-file.js";
import { expectedBytes } from "./tensor-size.js";

/** Where the elements of an external tensor lie. */
export interface ExternalRange {
  /** Relative to the model's folder, as the model says it. */
  readonly location: string;
  readonly offset: number;
  /** Undefined: as much as the tensor's type and dimensions ask for. */
  readonly length: number | undefined;
}

/** @throws HalpError HALP_EXTERNAL_DATA_FORMAT */
export function externalRange(tensor: Tensor, file?: string): ExternalRange {
  const get = (key: string): string | undefined => tensor.external?.entries.findLast((e) => e.key === key)?.value;
  const bytesOf = (key: string): number | undefined => {
    const text = get(key);
    if (text === undefined) return undefined;
    const n = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(n))
      throw problem(
        "FORMAT",
        tensor,
        file,
        `gives "${text}" as the ${key} of its external data; expected a number of bytes`,
      );
    return n;
  };
  const location = get("location");
  if (!location) throw problem("FORMAT", tensor, file, "has external data but names no file (location)");
  return { location, offset: bytesOf("offset") ?? 0, length: bytesOf("length") };
}

/**
 * Reads the external data of the given tensors, each file once and no further than is asked for.
 * @returns the bytes of a tensor: a view on what was read of its file
 * @throws HalpError HALP_EXTERNAL_DATA_OUTSIDE, HALP_EXTERNAL_DATA_MISSING, HALP_EXTERNAL_DATA_RANGE, HALP_EXTERNAL_DATA_FORMAT
 */
export async function readExternal(tensors: readonly Tensor[], file: string): Promise<(tensor: Tensor) => Uint8Array> {
  const folder = await realpath(dirname(file));
  const byLocation = new Map<string, Tensor[]>();
  for (const t of tensors) {
    const { location } = externalRange(t, file);
    const users = byLocation.get(location);
    if (users) users.push(t);
    else byLocation.set(location, [t]);
  }
  const read = new Map<string, Uint8Array>();
  for (const [location, users] of byLocation) read.set(location, await readRanges(folder, location, users, file));
  return (tensor) => {
    const { location, offset, length } = externalRange(tensor, file);
    const bytes = read.get(location) ?? new Uint8Array(0);
    const size = length ?? expectedBytes(tensor) ?? bytes.byteLength - offset;
    return bytes.subarray(offset, offset + size);
  };
}

/**
 * Large external tensors stay in their files. The ranges are checked against the files' sizes as {@link readExternal} does.
 * @returns undefined where all together take no more than `modelBytes`; else what makes the tensors complete
 * @throws HalpError as readExternal
 */
export async function lazyExternal(
  tensors: readonly Tensor[],
  file: string,
  above: { readonly modelBytes: number; readonly tensorBytes: number },
): Promise<((tensor: Tensor) => Tensor) | undefined> {
  const total = tensors.reduce((n, t) => n + (externalRange(t, file).length ?? expectedBytes(t) ?? 0), 0);
  if (total <= above.modelBytes) return undefined;
  const folder = await realpath(dirname(file));
  const files = new Map<string, LazyFile>();
  for (const t of tensors) {
    const { location } = externalRange(t, file);
    if (!files.has(location)) files.set(location, openLazily(await locate(folder, location, t, file)));
  }
  return (tensor) => {
    if (tensor.storage !== "external") return tensor;
    const { location, offset, length } = externalRange(tensor, file);
    const from = files.get(location) as LazyFile;
    const size = length ?? expectedBytes(tensor) ?? Math.max(0, from.size - offset);
    if (offset + size > from.size) throw beyond(tensor, file, location, offset, size, from.size);
    const read = () => from.read(offset, size);
    const { bytes: _, ...fields } = tensor;
    return size > above.tensorBytes ? lazyTensor(fields, size, read) : { ...fields, bytes: read() };
  };
}

function beyond(tensor: Tensor, file: string, location: string, offset: number, wanted: number, size: number) {
  return problem(
    "RANGE",
    tensor,
    file,
    `asks for bytes ${offset} to ${offset + wanted} of its external data "${location}", which has ${size}; the file is cut off or not the right one`,
  );
}

async function readRanges(
  folder: string,
  location: string,
  users: readonly Tensor[],
  file: string,
): Promise<Uint8Array> {
  const [first] = users;
  if (!first) return new Uint8Array(0);
  const path = await locate(folder, location, first, file);
  const handle = await open(path, "r").catch((cause) => {
    throw problem(
      "MISSING",
      first,
      file,
      `has its elements in "${location}", which cannot be opened; check its permissions`,
      cause,
    );
  });
  try {
    const { size } = await handle.stat();
    let end = 0;
    for (const t of users) {
      const { offset, length } = externalRange(t, file);
      const wanted = length ?? expectedBytes(t) ?? Math.max(0, size - offset);
      if (offset + wanted > size) throw beyond(t, file, location, offset, wanted, size);
      end = Math.max(end, offset + wanted);
    }
    const bytes = new Uint8Array(end);
    // In pieces: one read is limited to 2 GiB.
    for (let at = 0; at < end; ) {
      const { bytesRead } = await handle.read(bytes, at, Math.min(end - at, 2 ** 30), at);
      if (bytesRead === 0)
        throw problem("RANGE", first, file, `lost its external data "${location}" while it was read`);
      at += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}

/** Whether a location, links aside, lies in the model's folder on every system. */
export function staysInside(location: string): boolean {
  if (isAbsolute(location) || win32.isAbsolute(location) || /^[a-z]:/i.test(location)) return false;
  return !location.split(/[\\/]/).includes("..");
}

/** The file, which must lie in the model's folder: a model from elsewhere may not read what it likes. */
async function locate(folder: string, location: string, tensor: Tensor, file: string): Promise<string> {
  const outside = (): HalpError =>
    problem(
      "OUTSIDE",
      tensor,
      file,
      `points to external data "${location}" outside the model's folder; put the file beside the model`,
    );
  if (!staysInside(location)) throw outside();
  let path: string;
  try {
    path = await realpath(resolve(folder, location));
    if (!(await stat(path)).isFile()) throw new Error("not a file");
  } catch (cause) {
    throw problem(
      "MISSING",
      tensor,
      file,
      `has its elements in "${location}", which is not there or is no file; put it beside the model`,
      cause,
    );
  }
  const inner = relative(folder, path);
  if (inner === ".." || inner.startsWith(`..${sep}`) || isAbsolute(inner)) throw outside();
  return path;
}

function problem(
  kind: "FORMAT" | "OUTSIDE" | "MISSING" | "RANGE",
  tensor: Tensor,
  file: string | undefined,
  what: string,
  cause?: unknown,
): HalpError {
  return new HalpError(`HALP_EXTERNAL_DATA_${kind}`, `Tensor "${tensor.name}" ${what}.`, {
    name: tensor.name,
    ...(file === undefined ? {} : { file }),
    ...(cause === undefined ? {} : { cause }),
  });
}
