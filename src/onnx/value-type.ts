/** TypeProto: element type and dimensions of tensors are read, all else stays as it came. */
import type { Dim, Extra, ValueInfo } from "../graph/ir.js";
import { dataTypeCode, dataTypeOf } from "../graph/tensors.js";
import { DIM, SHAPE, TENSOR_TYPE, TYPE } from "./schema.js";
import { decodeText } from "./text.js";
import { concat, MessageWriter, type Piece, readMessage } from "./wire.js";

interface TypeParts {
  readonly extra: Extra | undefined;
  readonly tensor?: {
    readonly extra: Extra | undefined;
    readonly elemType: number | undefined;
    readonly shape?: { readonly extra: Extra | undefined; readonly dims: readonly Uint8Array[] };
  };
}

function takeApart(bytes: Uint8Array): TypeParts {
  const tensor: Uint8Array[] = [];
  const extra = readMessage(bytes, (tag, r) => {
    if (tag !== TYPE.tensor) return false;
    tensor.push(r.bytes());
    return true;
  });
  if (tensor.length === 0) return { extra };
  let elemType: number | undefined;
  const shape: Uint8Array[] = [];
  const tensorExtra = readMessage(concat(tensor), (tag, r) => {
    if (tag === TENSOR_TYPE.elemType) elemType = r.int32();
    else if (tag === TENSOR_TYPE.shape) shape.push(r.bytes());
    else return false;
    return true;
  });
  if (shape.length === 0) return { extra, tensor: { extra: tensorExtra, elemType } };
  const dims: Uint8Array[] = [];
  const shapeExtra = readMessage(concat(shape), (tag, r) => {
    if (tag !== SHAPE.dim) return false;
    dims.push(r.bytes());
    return true;
  });
  return { extra, tensor: { extra: tensorExtra, elemType, shape: { extra: shapeExtra, dims } } };
}

/** Some exporters write -1 or "" for a dimension that nobody knows. */
function decodeDim(bytes: Uint8Array): { dim: Dim; extra: Extra | undefined } {
  let dim: Dim = null;
  const extra = readMessage(bytes, (tag, r) => {
    if (tag === DIM.value) dim = Number(r.int64());
    else if (tag === DIM.param) dim = decodeText(r.bytes());
    else return false;
    return true;
  });
  if (dim === "" || (typeof dim === "number" && (dim < 0 || !Number.isSafeInteger(dim)))) dim = null;
  return { dim, extra };
}

function encodeDim(dim: Dim, extra: Extra | undefined): readonly Piece[] {
  const writer = new MessageWriter(extra);
  if (typeof dim === "number") writer.int(DIM.value, dim);
  else if (dim !== null) writer.string(DIM.param, dim);
  return writer.finish();
}

export function decodeType(bytes: Uint8Array): Pick<ValueInfo, "dtype" | "dtypeCode" | "dims" | "typeExtra"> {
  const { tensor } = takeApart(bytes);
  const plain = {
    ...(tensor?.elemType === undefined ? {} : { dtype: dataTypeOf(tensor.elemType), dtypeCode: tensor.elemType }),
    ...(tensor?.shape ? { dims: tensor.shape.dims.map((d) => decodeDim(d).dim) } : {}),
  };
  const written = encodeType(plain);
  const tellsAll = written !== undefined && Buffer.compare(concat(written), bytes) === 0;
  return tellsAll ? plain : { ...plain, typeExtra: bytes };
}

/** Undefined where the value has no type at all. What the source says beyond type and dimensions is kept. */
export function encodeType(
  value: Pick<ValueInfo, "dtype" | "dtypeCode" | "dims" | "typeExtra">,
): readonly Piece[] | undefined {
  const { dims, typeExtra } = value;
  const elemType = value.dtypeCode ?? (value.dtype && value.dtype !== "other" ? dataTypeCode[value.dtype] : undefined);
  if (elemType === undefined && !dims) return typeExtra && [typeExtra];
  const source = typeExtra ? takeApart(typeExtra) : undefined;

  const tensor = new MessageWriter(source?.tensor?.extra);
  if (elemType !== undefined) tensor.int(TENSOR_TYPE.elemType, elemType);
  if (dims) {
    const shape = new MessageWriter(source?.tensor?.shape?.extra);
    for (const [i, dim] of dims.entries()) {
      const bytes = source?.tensor?.shape?.dims[i];
      const was = bytes && decodeDim(bytes);
      shape.message(SHAPE.dim, bytes && was?.dim === dim ? [bytes] : encodeDim(dim, was?.extra));
    }
    tensor.message(TENSOR_TYPE.shape, shape.finish());
  }
  const type = new MessageWriter(source?.extra);
  type.message(TYPE.tensor, tensor.finish());
  return type.finish();
}
