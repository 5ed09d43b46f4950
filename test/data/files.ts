/** Writes the small files that the readers' tests read. */
import sharp from "sharp";
import type { Batch, BatchOptions, Dataset } from "../../src/data/dataset.js";

/** An .npy file, version 1, as NumPy lays it out. */
export function npyBytes(descr: string, shape: readonly number[], data: Uint8Array): Buffer {
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const head = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${tuple}), }`;
  const padded = `${head}${" ".repeat(63 - ((10 + head.length) % 64))}\n`;
  const length = Buffer.alloc(2);
  length.writeUInt16LE(padded.length);
  return Buffer.concat([
    Buffer.from([0x93]),
    Buffer.from("NUMPY\x01\x00", "latin1"),
    length,
    Buffer.from(padded),
    data,
  ]);
}

export function bytesOf(array: Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** An IDX file of bytes. */
export function idxBytes(shape: readonly number[], data: Uint8Array): Buffer {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head[2] = 8;
  head[3] = shape.length;
  for (const [i, d] of shape.entries()) head.writeUInt32BE(d, 4 + 4 * i);
  return Buffer.concat([head, data]);
}

/** Bytes that differ from place to place, so that a wrong order cannot go unseen. */
export function patternBytes(length: number, start = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (start + i * 7 + (i >> 5) * 3) & 255);
}

export async function pngBytes(width: number, height: number, channels: 1 | 3 | 4, bytes: Uint8Array): Promise<Buffer> {
  const image = sharp(bytes, { raw: { width, height, channels } });
  return (channels === 1 ? image.toColourspace("b-w") : image).png().toBuffer();
}

export async function jpegBytes(
  width: number,
  height: number,
  rgb: readonly [number, number, number],
): Promise<Buffer> {
  const bytes = new Uint8Array(width * height * 3).map((_, i) => rgb[i % 3]!);
  return sharp(bytes, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 100 })
    .toBuffer();
}

/** All batches, in order. */
export async function collect(dataset: Dataset, options: BatchOptions): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const batch of dataset.batches(options)) batches.push(batch);
  return batches;
}
