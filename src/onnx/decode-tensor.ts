import type { BinaryReader } from "@bufbuild/protobuf/wire";
import type { StringEntry, Tensor } from "../graph/ir.js";
import { dataTypeOf } from "../graph/tensors.js";
import type { DecodeContext } from "./decode-context.js";
import { formatError, remembered } from "./decode-context.js";
import { decodeEntry, encodeEntry } from "./entry.js";
import { TENSOR, typedField } from "./schema.js";
import { decodeText } from "./text.js";
import { concat, MessageWriter, packed, readMessage, readScalars } from "./wire.js";

const readInt64 = (r: BinaryReader): bigint => BigInt(r.int64());

/** Views wherever the elements lie in the file as they lie in memory; varints and scattered elements are copied. */
export function decodeTensor(bytes: Uint8Array, context: DecodeContext): Tensor {
  return remembered(bytes, context, () => decodeFields(bytes, context));
}

function decodeFields(bytes: Uint8Array, context: DecodeContext): Tensor {
  const dims: bigint[] = [];
  let dtypeCode = 0;
  let name = "";
  let docString: string | undefined;
  let raw: Uint8Array | undefined;
  let location = 0;
  const external: StringEntry[] = [];
  const fixed = { floatData: [] as Uint8Array[], doubleData: [] as Uint8Array[] };
  const varints = { int32Data: [] as number[], int64Data: [] as bigint[], uint64Data: [] as bigint[] };
  const strings: Uint8Array[] = [];

  let extra = readMessage(bytes, (tag, r) => {
    switch (tag) {
      case TENSOR.dims:
      case packed(TENSOR.dims):
        return readScalars(tag, r, readInt64, dims);
      case TENSOR.dataType:
        dtypeCode = r.int32();
        return true;
      case TENSOR.floatData:
        fixed.floatData.push(r.skip(5));
        return true;
      case packed(TENSOR.floatData):
        fixed.floatData.push(r.bytes());
        return true;
      case TENSOR.doubleData:
        fixed.doubleData.push(r.skip(1));
        return true;
      case packed(TENSOR.doubleData):
        fixed.doubleData.push(r.bytes());
        return true;
      case TENSOR.int32Data:
      case packed(TENSOR.int32Data):
        return readScalars(tag, r, (reader) => reader.int32(), varints.int32Data);
      case TENSOR.int64Data:
      case packed(TENSOR.int64Data):
        return readScalars(tag, r, readInt64, varints.int64Data);
      case TENSOR.uint64Data:
      case packed(TENSOR.uint64Data):
        return readScalars(tag, r, readInt64, varints.uint64Data);
      case TENSOR.stringData:
        strings.push(r.bytes());
        return true;
      case TENSOR.name:
        name = decodeText(r.bytes());
        return true;
      case TENSOR.rawData:
        raw = r.bytes();
        return true;
      case TENSOR.docString:
        docString = decodeText(r.bytes());
        return true;
      case TENSOR.externalData:
        external.push(decodeEntry(r.bytes()));
        return true;
      case TENSOR.dataLocation:
        location = r.int32();
        return true;
      default:
        return false;
    }
  });

  const { field, width } = typedField(dtypeCode);
  const isExternal = location === 1;
  const typed = { ...fixed, ...varints, stringData: strings };
  const places = Object.entries(typed).flatMap(([place, values]) => (values.length > 0 ? [place] : []));
  if (raw?.byteLength) places.push("raw data");
  if (isExternal) places.push("external data");
  if (places.length > 1 || (places[0] && ![field, "raw data", "external data"].includes(places[0])))
    throw formatError(
      context,
      `Tensor "${name}" of data type ${dtypeCode} should hold its elements in ${field}, raw data or external data, in one of them alone; it holds some in ${places.join(" and ")}.`,
    );
  if (!isExternal && external.length > 0) {
    // Entries that nothing asks for: kept, not followed.
    const writer = new MessageWriter(extra);
    for (const e of external) writer.message(TENSOR.externalData, encodeEntry(e));
    extra = concat(writer.finish());
  }
  const head = {
    name,
    dtype: dataTypeOf(dtypeCode),
    dtypeCode,
    dims: dims.map((d) => {
      const n = Number(d);
      if (n < 0 || !Number.isSafeInteger(n))
        throw formatError(context, `Tensor "${name}" has the impossible dimension ${d}.`);
      return n;
    }),
    ...(field === "stringData" ? { strings } : {}),
    ...(docString === undefined ? {} : { docString }),
    ...(extra ? { extra } : {}),
  };
  if (isExternal) {
    const reference = { ...head, storage: "external" as const, external: { entries: external }, bytes: EMPTY };
    return { ...reference, bytes: context.resolveExternal?.(reference) ?? EMPTY };
  }
  if (raw && (raw.byteLength > 0 || places.length === 0)) return { ...head, storage: "raw", bytes: raw };
  if (field === "stringData") return { ...head, storage: "typed", bytes: EMPTY };
  if (field === "floatData" || field === "doubleData") {
    // Fixed-width numbers that lie packed in the file are little-endian elements already.
    const tensor: Tensor = { ...head, storage: "typed", bytes: concat(fixed[field]) };
    if (fixed[field].length > 1) rememberCopy(tensor, context);
    return tensor;
  }
  const tensor: Tensor = { ...head, storage: "typed", bytes: fromVarints(varints[field], width) };
  rememberCopy(tensor, context);
  return tensor;
}

function rememberCopy(tensor: Tensor, context: DecodeContext): void {
  if (tensor.bytes.byteLength > 0) context.copies.push({ tensor, asRead: tensor.bytes.slice() });
}

const EMPTY = new Uint8Array(0);

/** Little-endian elements of `width` bytes; what does not fit is cut, as ONNX Runtime does. */
function fromVarints(values: readonly (number | bigint)[], width: number): Uint8Array {
  const bytes = new Uint8Array(values.length * width);
  const view = new DataView(bytes.buffer);
  for (const [i, v] of values.entries()) {
    if (width === 8) view.setBigInt64(8 * i, BigInt(v), true);
    else {
      const n = typeof v === "number" ? v : Number(BigInt.asIntN(32, v));
      if (width === 4) view.setInt32(4 * i, n, true);
      else if (width === 2) view.setInt16(2 * i, n, true);
      else view.setInt8(i, n);
    }
  }
  return bytes;
}
