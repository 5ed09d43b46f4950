/** A large model file without its large weights: what has to be read of it to know all but these. */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { LazyFile } from "./lazy-file.js";
import { GRAPH, MODEL, TENSOR } from "./schema.js";
import { concat, type Tag } from "./wire.js";

export interface Range {
  readonly offset: number;
  readonly length: number;
}

export interface Skeleton {
  /** The model, with nothing in `raw_data` of the weights left out. */
  readonly bytes: Uint8Array;
  /** Where these weights lie in the file, by position among the initialisers of the graph. */
  readonly ranges: ReadonlyMap<number, Range>;
}

interface Field extends Range {
  readonly tag: Tag;
  /** Where the field begins, tag and length included. */
  readonly start: number;
}

/** Largest tag and length together. */
const headerBytes = 20;

/**
 * @param above weights of more bytes are left out
 * @returns undefined where the file is no message of fields, or gives its graph in several pieces: then it has to be read as
 * a whole, which says what is wrong with it
 */
export function readSkeleton(file: LazyFile, above: number): Skeleton | undefined {
  const ranges = new Map<number, Range>();
  let graphs = 0;
  let tensors = 0;
  const whole = (f: Field): Uint8Array => file.read(f.start, f.offset + f.length - f.start);
  const tensor = (f: Field): Uint8Array => {
    const at = tensors++;
    if (f.length <= above) return whole(f);
    return message(file, f, (inner) => {
      if (inner.tag !== TENSOR.rawData || inner.length <= above) return whole(inner);
      if (ranges.has(at)) throw new RangeError("raw data twice");
      ranges.set(at, { offset: inner.offset, length: inner.length });
      return header(inner.tag, 0);
    });
  };
  const graph = (f: Field): Uint8Array => {
    graphs++;
    return message(file, f, (inner) => (inner.tag === GRAPH.initializer ? tensor(inner) : whole(inner)));
  };
  try {
    const everything = { tag: 0, start: 0, offset: 0, length: file.size };
    const bytes = concat(fields(file, everything, (f) => (f.tag === MODEL.graph ? graph(f) : whole(f))));
    return graphs === 1 ? { bytes, ranges } : undefined;
  } catch (e) {
    if (e instanceof RangeError || (e instanceof Error && e.constructor === Error)) return undefined;
    throw e;
  }
}

function header(tag: Tag, length: number): Uint8Array {
  return new BinaryWriter().uint32(tag).uint32(length).finish();
}

/** The message with its fields changed, under its tag. */
function message(file: LazyFile, within: Field, change: (field: Field) => Uint8Array): Uint8Array {
  const body = fields(file, within, change);
  const length = body.reduce((n, p) => n + p.byteLength, 0);
  return concat([header(within.tag, length), ...body]);
}

function fields(file: LazyFile, within: Field, change: (field: Field) => Uint8Array): Uint8Array[] {
  const end = within.offset + within.length;
  const changed: Uint8Array[] = [];
  for (let at = within.offset; at < end; ) {
    const reader = new BinaryReader(file.read(at, Math.min(headerBytes, end - at)));
    const [number, wire] = reader.tag();
    if (wire === WireType.LengthDelimited) {
      const length = reader.uint32();
      const field = { tag: (number << 3) | wire, start: at, offset: at + reader.pos, length };
      at = field.offset + length;
      if (at > end) throw new RangeError("premature EOF");
      changed.push(change(field));
    } else {
      reader.skip(wire, number);
      const size = reader.pos;
      changed.push(file.read(at, size));
      at += size;
    }
  }
  return changed;
}
