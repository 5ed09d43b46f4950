/** StringStringEntryProto: a key and a value, used for metadata and external data. */
import type { StringEntry } from "../graph/ir.js";
import { ENTRY } from "./schema.js";
import { rememberSource, sourceOf } from "./sources.js";
import { decodeText } from "./text.js";
import { MessageWriter, type Piece, readMessage } from "./wire.js";

export function decodeEntry(bytes: Uint8Array): StringEntry {
  let key = "";
  let value = "";
  readMessage(bytes, (tag, r) => {
    if (tag === ENTRY.key) key = decodeText(r.bytes());
    else if (tag === ENTRY.value) value = decodeText(r.bytes());
    else return false;
    return true;
  });
  const entry = { key, value };
  rememberSource(entry, bytes, []);
  return entry;
}

export function encodeEntry(entry: StringEntry): readonly Piece[] {
  const source = sourceOf(entry);
  if (source) return [source];
  const writer = new MessageWriter();
  writer.string(ENTRY.key, entry.key);
  writer.string(ENTRY.value, entry.value);
  return writer.finish();
}
