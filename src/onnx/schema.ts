/** Field numbers of onnx.proto, of the fields that halp looks at. All others travel in `extra`. */
import { bit32, bit64, length, varint } from "./wire.js";

export const MODEL = {
  irVersion: varint(1),
  producerName: length(2),
  producerVersion: length(3),
  domain: length(4),
  modelVersion: varint(5),
  docString: length(6),
  graph: length(7),
  opsetImport: length(8),
  metadataProps: length(14),
} as const;
export const OPSET = { domain: length(1), version: varint(2) } as const;
export const ENTRY = { key: length(1), value: length(2) } as const;
export const GRAPH = {
  node: length(1),
  name: length(2),
  initializer: length(5),
  docString: length(10),
  input: length(11),
  output: length(12),
  valueInfo: length(13),
  sparseInitializer: length(15),
} as const;
export const SPARSE_TENSOR = { values: length(1) } as const;
export const NODE = {
  input: length(1),
  output: length(2),
  name: length(3),
  opType: length(4),
  attribute: length(5),
  docString: length(6),
  domain: length(7),
} as const;
export const ATTRIBUTE = {
  name: length(1),
  f: bit32(2),
  i: varint(3),
  s: length(4),
  t: length(5),
  g: length(6),
  floats: bit32(7),
  ints: varint(8),
  strings: length(9),
  tensors: length(10),
  graphs: length(11),
  docString: length(13),
  typeProto: length(14),
  typeProtos: length(15),
  type: varint(20),
  refAttrName: length(21),
  sparseTensor: length(22),
  sparseTensors: length(23),
} as const;
export const TENSOR = {
  dims: varint(1),
  dataType: varint(2),
  floatData: bit32(4),
  int32Data: varint(5),
  stringData: length(6),
  int64Data: varint(7),
  name: length(8),
  rawData: length(9),
  doubleData: bit64(10),
  uint64Data: varint(11),
  docString: length(12),
  externalData: length(13),
  dataLocation: varint(14),
} as const;
export const VALUE_INFO = { name: length(1), type: length(2), docString: length(3) } as const;
export const TYPE = { tensor: length(1) } as const;
export const TENSOR_TYPE = { elemType: varint(1), shape: length(2) } as const;
export const SHAPE = { dim: length(1) } as const;
export const DIM = { value: varint(1), param: length(2) } as const;

/** AttributeProto.AttributeType of the kinds that the IR tells apart. */
export const attributeTypes = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  graphs: 10,
} as const;
export type AttributeKind = keyof typeof attributeTypes;

/** The typed field of TensorProto that holds elements of a type, and the bytes an entry of it fills in the IR. */
export function typedField(dtypeCode: number): {
  field: "floatData" | "doubleData" | "int32Data" | "int64Data" | "uint64Data" | "stringData";
  width: number;
} {
  switch (dtypeCode) {
    case 1: // float
    case 14: // complex64
      return { field: "floatData", width: 4 };
    case 11: // double
    case 15: // complex128
      return { field: "doubleData", width: 8 };
    case 7:
      return { field: "int64Data", width: 8 };
    case 13: // uint64
      return { field: "uint64Data", width: 8 };
    case 12: // uint32
      return { field: "uint64Data", width: 4 };
    case 8:
      return { field: "stringData", width: 0 };
    case 6: // int32
      return { field: "int32Data", width: 4 };
    case 4: // uint16
    case 5: // int16
    case 10: // float16
    case 16: // bfloat16
      return { field: "int32Data", width: 2 };
    default: // 8-bit types, and pairs of 4-bit ones in a byte
      return { field: "int32Data", width: 1 };
  }
}
