/**
 * Tensors by name in one file, in the safetensors format (https://github.com/huggingface/safetensors): 8 bytes with the
 * length of a JSON header, the header, then the raw little-endian data. Readable by PyTorch and others.
 */
import { randomUUID } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import { HalpError } from "../errors.js";
import { sizeOf } from "../graph/tensors.js";
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
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, "w");
    try {
      await file.writeFile(length);
      await file.writeFile(padded);
      for (const { data } of tensors.values())
        await file.writeFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      // On disk before the name is: after a power cut there is the old file or the new one.
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new HalpError("HALP_OUTPUT_UNWRITABLE", `Cannot write ${path}: ${(cause as Error).message}.`, {
      file: path,
      cause,
      exitCode: 1,
    });
  }
}

/** @throws HalpError HALP_CHECKPOINT where there is no such file, or it is damaged or holds other types than float32 */
export async function readTensors(path: string): Promise<TensorFile> {
  const damaged = (why: string, cause?: unknown) =>
    new HalpError("HALP_CHECKPOINT", `Cannot read the tensors of ${path}: ${why}.`, { file: path, cause });
  const bytes = await readFile(path).catch((cause) => {
    throw damaged((cause as Error).message, cause);
  });
  if (bytes.length < 8) throw damaged("it is too short");
  const length = Number(bytes.readBigUInt64LE(0));
  if (length > bytes.length - 8) throw damaged("its header is longer than the file");
  let header: Record<string, unknown>;
  try {
    header = JSON.parse(bytes.toString("utf8", 8, 8 + length)) as Record<string, unknown>;
  } catch (cause) {
    throw damaged("its header is no JSON", cause);
  }
  const { __metadata__: metadata = {}, ...entries } = header;
  const tensors = new Map<string, { dims: readonly number[]; data: Float32Array }>();
  for (const [name, entry] of Object.entries(entries)) {
    const { dtype, shape, data_offsets: offsets } = entry as Partial<Entry>;
    if (dtype !== "F32" || !Array.isArray(shape) || !Array.isArray(offsets))
      throw damaged(`"${name}" is ${dtype ?? "of no type"}, expected F32`);
    const [from, to] = offsets as [number, number];
    if (to - from !== 4 * sizeOf(shape) || from < 0 || 8 + length + to > bytes.length)
      throw damaged(`the data of "${name}" are not all there`);
    const data = new Float32Array(sizeOf(shape));
    new Uint8Array(data.buffer).set(bytes.subarray(8 + length + from, 8 + length + to));
    tensors.set(name, { dims: shape as readonly number[], data });
  }
  return { tensors, metadata: metadata as Record<string, string> };
}
