/** Named arrays out of files that other tools write: safetensors, and NumPy's .npz. */
import { convertInto, type NumberArray, type NumberType, readNpz } from "../data/index.js";
import { HalpError } from "../errors.js";
import { readStoredTensors, type StoredTensor } from "../finetune/index.js";
import { sizeOf } from "../graph/tensors.js";

export interface NamedArray {
  readonly shape: readonly number[];
  /** The type as it lies in the file: "float32", "bfloat16", "int64", ... */
  readonly type: string;
  /** The values as float32, rounded where the file holds float64. Made when asked for. */
  readonly floats: () => Float32Array;
}

/** Types of numbers by the names that safetensors has for them. BF16 has no other name here. */
const typeNames: Readonly<Record<string, NumberType>> = {
  BOOL: "bool",
  U8: "uint8",
  I8: "int8",
  U16: "uint16",
  I16: "int16",
  F16: "float16",
  U32: "uint32",
  I32: "int32",
  F32: "float32",
  U64: "uint64",
  I64: "int64",
  F64: "float64",
};

/**
 * @param path a .safetensors or .npz file
 * @throws HalpError HALP_WEIGHTS_FORMAT where it is neither; HALP_CHECKPOINT, HALP_DATA_FORMAT, HALP_DATA_MISSING where it
 * cannot be read
 */
export async function readArrays(path: string): Promise<Map<string, NamedArray>> {
  if (path.endsWith(".npz")) return new Map([...(await readNpz(path))].map(([name, array]) => [name, ofNumpy(array)]));
  if (path.endsWith(".safetensors")) {
    const { arrays } = await readStoredTensors(path);
    return new Map([...arrays].map(([name, tensor]) => [name, ofStored(tensor)]));
  }
  throw new HalpError(
    "HALP_WEIGHTS_FORMAT",
    `Weights are read from .safetensors and .npz files; ${path} is neither. From PyTorch: numpy.savez("weights.npz", **{k: v.cpu().numpy() for k, v in model.state_dict().items()}).`,
    { file: path },
  );
}

function ofNumpy({ type, littleEndian, shape, bytes }: NumberArray): NamedArray {
  return {
    shape,
    type,
    floats: () => {
      const out = new Float32Array(sizeOf(shape));
      convertInto(bytes, type, littleEndian, out, 0);
      return out;
    },
  };
}

function ofStored({ dtype, shape, bytes }: StoredTensor): NamedArray {
  const type = typeNames[dtype];
  if (type) return ofNumpy({ type, littleEndian: true, shape, bytes });
  return { shape, type: "bfloat16", floats: () => bfloat16s(bytes) };
}

/** bfloat16 is the upper half of float32. */
function bfloat16s(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bits = Uint32Array.from({ length: bytes.byteLength / 2 }, (_, i) => view.getUint16(2 * i, true) << 16);
  return new Float32Array(bits.buffer);
}
