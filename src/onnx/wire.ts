/** Protobuf's wire format: messages read field by field, and written without copying what is large. */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Extra } from "../graph/ir.js";
import { encodeText } from "./text.js";

/** A field number and its wire type in one number, as protobuf writes it. */
export type Tag = number;
export const varint = (field: number): Tag => (field << 3) | WireType.Varint;
export const bit32 = (field: number): Tag => (field << 3) | WireType.Bit32;
export const bit64 = (field: number): Tag => (field << 3) | WireType.Bit64;
export const length = (field: number): Tag => (field << 3) | WireType.LengthDelimited;
/** The packed form of a repeated scalar. Readers must take both forms, whatever the schema says. */
export const packed = (tag: Tag): Tag => (tag & ~7) | WireType.LengthDelimited;

/** Bytes that are no protobuf message. */
export class MalformedMessage extends Error {
  /** The innermost message in which reading failed. */
  readonly within: Uint8Array;
  /** Where, in bytes from the start of that message. */
  readonly position: number;
  /** A field claims to go on beyond the end of the message. */
  readonly pastEnd: boolean;
  constructor(message: Uint8Array, position: number, cause: Error) {
    super(cause.message, { cause });
    this.within = message;
    this.position = position;
    this.pastEnd = cause instanceof RangeError;
  }
}

/**
 * Calls `visit` for each field; it reads the field and returns true, or leaves it alone and returns false. Fields left
 * alone are returned as they came, in their order.
 * @throws MalformedMessage
 */
export function readMessage(bytes: Uint8Array, visit: (tag: Tag, reader: BinaryReader) => boolean): Extra | undefined {
  const reader = new BinaryReader(bytes);
  const left: Uint8Array[] = [];
  try {
    while (reader.pos < reader.len) {
      const start = reader.pos;
      const [field, wire] = reader.tag();
      if (!visit((field << 3) | wire, reader)) {
        reader.skip(wire, field);
        left.push(bytes.subarray(start, reader.pos));
      } else if (reader.pos > reader.len) throw new RangeError("premature EOF");
    }
  } catch (e) {
    // Plain errors and RangeErrors are the reader's; all others are not about this message.
    if (e instanceof RangeError || (e instanceof Error && e.constructor === Error))
      throw new MalformedMessage(bytes, Math.min(reader.pos, reader.len), e);
    throw e;
  }
  return left.length === 0 ? undefined : concat(left);
}

/** Reads one value, or all values of the packed form. */
export function readScalars<T>(tag: Tag, reader: BinaryReader, read: (reader: BinaryReader) => T, into: T[]): true {
  if ((tag & 7) !== WireType.LengthDelimited) {
    into.push(read(reader));
    return true;
  }
  const size = reader.uint32();
  const end = reader.pos + size;
  if (end > reader.len) throw new RangeError("premature EOF");
  while (reader.pos < end) into.push(read(reader));
  if (reader.pos > end) throw new Error("packed values do not end where their length says");
  return true;
}

/**
 * One piece as it is, several joined in a new array. A single message that a file gives in pieces means their fields
 * together.
 */
export function concat(pieces: readonly Piece[]): Uint8Array {
  const [first] = pieces;
  if (pieces.length === 1 && first) return bytesOf(first);
  const all = new Uint8Array(pieces.reduce((n, p) => n + p.byteLength, 0));
  let at = 0;
  for (const p of pieces) {
    all.set(bytesOf(p), at);
    at += p.byteLength;
  }
  return all;
}

/** Bytes that are made when they are needed, and only then lie in memory. */
export interface LazyBytes {
  readonly byteLength: number;
  read(): Uint8Array;
}
/** A part of what is written. */
export type Piece = Uint8Array | LazyBytes;

export function bytesOf(piece: Piece): Uint8Array {
  return piece instanceof Uint8Array ? piece : piece.read();
}

/** From this size on, bytes are handed on as views instead of being copied into the writer's buffer. */
const VIEW_FROM = 1024;

/**
 * Writes the fields of one message, in the order of their numbers. Fields kept from the source (`extra`) go in where
 * their number belongs, as C++ and Python writers order them.
 */
export class MessageWriter {
  readonly #pieces: Piece[] = [];
  readonly #small = new BinaryWriter();
  readonly #extras: readonly (readonly [field: number, bytes: Uint8Array])[];
  #extrasWritten = 0;

  constructor(extra?: Extra) {
    this.#extras = extra ? splitFields(extra) : [];
  }

  #tag(tag: Tag): BinaryWriter {
    this.#writeExtrasBelow(tag >>> 3);
    return this.#small.uint32(tag);
  }
  #writeExtrasBelow(field: number): void {
    for (let next = this.#extras[this.#extrasWritten]; next && next[0] < field; ) {
      this.#append(next[1]);
      next = this.#extras[++this.#extrasWritten];
    }
  }
  #append(bytes: Piece): void {
    if (bytes instanceof Uint8Array && bytes.byteLength < VIEW_FROM) this.#small.raw(bytes);
    else this.#pieces.push(this.#small.finish(), bytes);
  }

  int(tag: Tag, value: bigint | number): void {
    this.#tag(tag).int64(value);
  }
  uint(tag: Tag, value: bigint): void {
    this.#tag(tag).uint64(value);
  }
  float(tag: Tag, value: number): void {
    this.#tag(tag).raw(new Uint8Array(Float32Array.of(value).buffer));
  }
  bytes(tag: Tag, value: Piece): void {
    this.#tag(tag).uint32(value.byteLength);
    this.#append(value);
  }
  string(tag: Tag, value: string): void {
    this.bytes(tag, encodeText(value));
  }
  message(tag: Tag, pieces: readonly Piece[]): void {
    this.#tag(tag).uint32(pieces.reduce((n, p) => n + p.byteLength, 0));
    for (const p of pieces) this.#append(p);
  }
  /** The message, to be joined by whoever needs it whole. */
  finish(): readonly Piece[] {
    this.#writeExtrasBelow(Number.POSITIVE_INFINITY);
    this.#pieces.push(this.#small.finish());
    return this.#pieces;
  }
}

function splitFields(extra: Extra): [number, Uint8Array][] {
  const fields: [number, Uint8Array][] = [];
  const reader = new BinaryReader(extra);
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [field, wire] = reader.tag();
    reader.skip(wire, field);
    fields.push([field, extra.subarray(start, reader.pos)]);
  }
  // Stable: fields of one number keep their order.
  return fields.sort((a, b) => a[0] - b[0]);
}
