/**
 * Tensors by name in one file, in the safetensors format (https://github.com/huggingface/safetensors): 8 bytes with the
 * length of a JSON header, the header, then the raw little-endian data. Readable by PyTorch and others.
 */
import { type FileHandle, open } from "node:fs/promises";
import { type NumberType, numberBytes } from "../data/index.js";
import { HalpError } from "../errors.js";
import { sizeOf } from "../graph/tensors.js";
import { parseJson } from "../json.js";
import { type FileToWrite, writeFiles } from "../onnx/index.js";
import type { Tensors } from "./trainer.js";

export interface TensorFile {
  readonly tensors: Tensors;
  readonly metadata: Readonly<Record<string, string>>;
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/**
 * Whole or not at all: what was there before stays until all is written.
 * @throws HalpError HALP_OUTPUT_UNWRITABLE
 */
export async function writeTensors(path: string, { tensors, metadata }: TensorFile): Promise<void> {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { dims, data }] of tensors) {
    header[name] = { dtype: "F32", shape: dims, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  // The data begin at a multiple of 8; the header is filled up with spaces.
  const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, 0x20);
  json.copy(padded);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const segments: FileToWrite["segments"][number][] = [
    { offset: 0, bytes: length },
    { offset: 8, bytes: padded },
  ];
  let at = 8 + padded.length;
  for (const { data } of tensors.values()) {
    segments.push({ offset: at, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) });
    at += data.byteLength;
  }
  await writeFiles([{ path, segments }], 1);
}

/**
 * What the file says beside its tensors, which are not read.
 * @throws HalpError HALP_CHECKPOINT
 */
export async function readMetadata(path: string): Promise<TensorFile["metadata"]> {
  return (await readParts(path, false)).metadata;
}

/** @throws HalpError HALP_CHECKPOINT where there is no such file, or it is damaged or holds other types than float32 */
export async function readTensors(path: string): Promise<TensorFile> {
  const { arrays, metadata } = await readStoredTensors(path);
  const tensors = new Map<string, { dims: readonly number[]; data: Float32Array }>();
  for (const [name, { type, shape, bytes }] of arrays) {
    if (type !== "float32") throw damaged(path, `"${name}" is ${type}, expected float32`);
    const values = new Float32Array(sizeOf(shape));
    new Uint8Array(values.buffer).set(bytes);
    tensors.set(name, { dims: shape, data: values });
  }
  return { tensors, metadata };
}

/** A tensor as it is stored; its bytes are little-endian. */
export interface StoredTensor {
  readonly type: NumberType | "bfloat16";
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/**
 * All tensors of a file, of whatever type the format knows.
 * @throws HalpError HALP_CHECKPOINT where there is no such file, or it is damaged
 */
export async function readStoredTensors(
  path: string,
): Promise<{ readonly arrays: ReadonlyMap<string, StoredTensor>; readonly metadata: TensorFile["metadata"] }> {
  const { metadata, entries, data } = await readParts(path, true);
  const arrays = new Map<string, StoredTensor>();
  for (const [name, entry] of Object.entries(entries)) {
    const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Partial<Entry>;
    const type = typesByName.get(dtype ?? "");
    if (type === undefined || !isShape(shape) || !isShape(offsets))
      throw damaged(
        path,
        `"${name}" is ${dtype ?? "of no type"}, expected one of ${[...typesByName.keys()].join(", ")}`,
      );
    const [from = 0, to = 0] = offsets;
    const width = type === "bfloat16" ? 2 : numberBytes(type);
    if (to - from !== width * sizeOf(shape) || to > data.length)
      throw damaged(path, `the data of "${name}" are not all there`);
    arrays.set(name, { type, shape, bytes: data.subarray(from, to) });
  }
  return { arrays, metadata };
}

/** What the format calls its types. */
const typesByName: ReadonlyMap<string, StoredTensor["type"]> = new Map([
  ["BOOL", "bool"],
  ["U8", "uint8"],
  ["I8", "int8"],
  ["U16", "uint16"],
  ["I16", "int16"],
  ["F16", "float16"],
  ["BF16", "bfloat16"],
  ["U32", "uint32"],
  ["I32", "int32"],
  ["F32", "float32"],
  ["U64", "uint64"],
  ["I64", "int64"],
  ["F64", "float64"],
]);

const isShape = (x: unknown): x is readonly number[] =>
  Array.isArray(x) && x.every((d) => Number.isSafeInteger(d) && d >= 0);

/** The header, and the bytes behind it where they are wanted. */
async function readParts(path: string, withData: boolean) {
  const file = await open(path).catch((cause) => {
    throw damaged(path, (cause as Error).message, cause);
  });
  try {
    const { size } = await file.stat();
    if (size < 8) throw damaged(path, "it is too short");
    const start = await readBytes(file, 0, 8);
    const length = Number(start.readBigUInt64LE(0));
    if (length > size - 8) throw damaged(path, "its header is longer than the file");
    const text = (await readBytes(file, 8, length)).toString("utf8");
    const data = withData ? await readBytes(file, 8 + length, size - 8 - length) : Buffer.alloc(0);
    let header: Record<string, unknown>;
    try {
      header = parseJson(text) as Record<string, unknown>;
    } catch (cause) {
      throw damaged(path, "its header is no JSON", cause);
    }
    const { __metadata__: metadata = {}, ...entries } = header;
    return { metadata: metadata as TensorFile["metadata"], entries, data };
  } finally {
    await file.close();
  }
}

async function readBytes(file: FileHandle, from: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(bytes, at, Math.min(length - at, 2 ** 30), from + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes;
}

function damaged(path: string, why: string, cause?: unknown): HalpError {
  return new HalpError("HALP_CHECKPOINT", `Cannot read the tensors of ${path}: ${why}.`, { file: path, cause });
}
