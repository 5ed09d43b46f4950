/** Named arrays out of files that other tools write: safetensors, and NumPy's .npz. */
import { convertInto, type NumberArray, readNpz } from "../data/index.js";
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

function ofStored({ type, shape, bytes }: StoredTensor): NamedArray {
  if (type === "bfloat16") return { shape, type, floats: () => bfloat16s(bytes) };
  return ofNumpy({ type, littleEndian: true, shape, bytes });
}

/** bfloat16 is the upper half of float32. */
function bfloat16s(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bits = Uint32Array.from({ length: bytes.byteLength / 2 }, (_, i) => view.getUint16(2 * i, true) << 16);
  return new Float32Array(bits.buffer);
}
