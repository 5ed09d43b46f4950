/** Sessions of ONNX Runtime, on its CPU provider unless asked otherwise. */
import { HalpError } from "../errors.js";
import type { DataType, Dim, Model } from "../graph/ir.js";
import { dataTypeOf } from "../graph/tensors.js";
import { loadRuntime, type NativeMetadata } from "./load.js";
import { type ModelSource, storeModel } from "./stored-model.js";
import { isRuntimeType, type RuntimeArray, type RuntimeTensor } from "./tensor.js";

export interface SessionOptions {
  /** Threads within an operator, 1 or more. Default 1. */
  readonly threads?: number;
  /** How far the runtime rewrites the graph when loading. Default "all". */
  readonly optimization?: "disabled" | "basic" | "extended" | "layout" | "all";
  /** Turns profiling on; the file is `<prefix>_<date>.json`, complete after {@link Session.endProfiling}. */
  readonly profilePrefix?: string;
  /** Where the runtime writes the graph that it made of the model. */
  readonly optimizedModelPath?: string;
  /**
   * Whether the runtime plans memory for a whole run after the first, in one piece besides what the first took. Default true;
   * a backward pass takes a gigabyte less without, and not a millisecond more (ResNet-50, batch 8).
   */
  readonly memoryPlan?: boolean;
  /** Whether the runtime keeps what is free for later, besides the C library. Default true. */
  readonly memoryArena?: boolean;
  /** The runtime's CUDA provider on this device, instead of its CPU provider. */
  readonly cudaDevice?: number;
  /** Any other session config entry, by its full name in the runtime (`session.intra_op.allow_spinning`). */
  readonly config?: Readonly<Record<string, string>>;
}

export interface SessionValue {
  readonly name: string;
  /** Undefined: not a tensor. */
  readonly dtype: DataType | undefined;
  readonly dims: readonly Dim[];
}

export type Feeds = Readonly<Record<string, RuntimeTensor>>;
export type Outputs = Readonly<Record<string, RuntimeTensor>>;

/** Owns native memory: dispose of it. All calls are synchronous and block the thread while they last. */
export interface Session extends Disposable, AsyncDisposable {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly inputs: readonly SessionValue[];
  readonly outputs: readonly SessionValue[];
  /**
   * Inputs are not copied. An output may be fed back as an input.
   * @param fetches names of the outputs to compute; all where left out.
   * @throws HalpError HALP_RUNTIME_INPUT where an input is missing or unknown, HALP_RUNTIME_RUN where the runtime fails.
   */
  run(feeds: Feeds, fetches?: readonly string[]): Outputs;
  /** Completes the profile file. */
  endProfiling(): void;
  dispose(): void;
}

/**
 * Loads a model; 0.2 to 2 ms for one layer, more for a network.
 * @throws HalpError HALP_RUNTIME_MISSING where the runtime is not installed, HALP_RUNTIME_LOAD where it refuses the model,
 *   HALP_PROVIDER_MISSING where CUDA is asked for and not installed.
 */
export function createSession(model: Model | ModelSource, options: SessionOptions = {}): Session {
  const runtime = loadRuntime();
  const native = new runtime.Session();
  // A file that is mapped may go once the session has it (on Windows it may not, and stays with the other temporary files).
  using stored = storeModel(model);
  try {
    const { source } = stored;
    if (source instanceof Uint8Array)
      native.loadModel(source.buffer, source.byteOffset, source.byteLength, nativeOptions(options));
    else native.loadModel(source.path, nativeOptions(options));
  } catch (cause) {
    if (options.cudaDevice !== undefined && /provider|backend/i.test(messageOf(cause)))
      throw new HalpError(
        "HALP_PROVIDER_MISSING",
        `ONNX Runtime's CUDA provider cannot be used on device ${options.cudaDevice}: ${messageOf(cause)}\n` +
          "It needs Linux on x64, an NVIDIA driver, CUDA 12 and cuDNN 9. Run: npm install onnxruntime-node@1.30.0 --onnxruntime-node-install=cuda12",
        { cause, exitCode: 1 },
      );
    throw new HalpError("HALP_RUNTIME_LOAD", `ONNX Runtime refuses the model: ${messageOf(cause)}`, {
      cause,
      exitCode: 1,
    });
  }
  const inputs = native.inputMetadata.map(sessionValue);
  const outputs = native.outputMetadata.map(sessionValue);
  const inputNames = inputs.map((v) => v.name);
  const outputNames = outputs.map((v) => v.name);
  const known = new Set(inputNames);
  const everything: Record<string, null> = Object.fromEntries(outputNames.map((n) => [n, null]));
  let open = true;

  const session: Session = {
    inputNames,
    outputNames,
    inputs,
    outputs,
    run(feeds, fetches) {
      if (!open) throw new HalpError("HALP_RUNTIME_DISPOSED", "The session was disposed of; create a new one.");
      const given: Record<string, unknown> = {};
      for (const [name, t] of Object.entries(feeds)) {
        if (!known.has(name))
          throw new HalpError(
            "HALP_RUNTIME_INPUT",
            `The model has no input "${name}"; its inputs are ${inputNames.map((n) => `"${n}"`).join(", ")}.`,
            { name },
          );
        given[name] = new runtime.Tensor(t.dtype, t.data, t.dims);
      }
      const wanted = fetches ? Object.fromEntries(fetches.map((n) => [n, null])) : everything;
      let results: ReturnType<typeof native.run>;
      try {
        results = native.run(given, wanted, {});
      } catch (cause) {
        throw new HalpError("HALP_RUNTIME_RUN", `ONNX Runtime failed in a run: ${messageOf(cause)}`, {
          cause,
          exitCode: 1,
        });
      }
      const out: Record<string, RuntimeTensor> = {};
      for (const [name, t] of Object.entries(results)) {
        if (!isRuntimeType(t.type))
          throw new HalpError("HALP_RUNTIME_TYPE", `Output "${name}" is of type ${t.type}, which halp does not read.`, {
            name,
          });
        out[name] = { dtype: t.type, dims: t.dims, data: t.data as RuntimeArray };
      }
      return out;
    },
    endProfiling: () => native.endProfiling(),
    dispose() {
      if (open) native.dispose();
      open = false;
    },
    [Symbol.dispose]() {
      session.dispose();
    },
    async [Symbol.asyncDispose]() {
      session.dispose();
    },
  };
  return session;
}

function nativeOptions(options: SessionOptions): object {
  return {
    intraOpNumThreads: options.threads ?? 1,
    interOpNumThreads: 1,
    executionMode: "sequential",
    enableMemPattern: options.memoryPlan ?? true,
    enableCpuMemArena: options.memoryArena ?? true,
    graphOptimizationLevel: options.optimization ?? "all",
    logSeverityLevel: 3,
    ...(options.profilePrefix !== undefined ? { enableProfiling: true, profileFilePrefix: options.profilePrefix } : {}),
    ...(options.optimizedModelPath !== undefined ? { optimizedModelFilePath: options.optimizedModelPath } : {}),
    ...(options.cudaDevice !== undefined
      ? { executionProviders: [{ name: "cuda", deviceId: options.cudaDevice }] }
      : {}),
    ...(options.config ? { extra: options.config } : {}),
  };
}

function sessionValue(m: NativeMetadata): SessionValue {
  if (!m.isTensor) return { name: m.name, dtype: undefined, dims: [] };
  const dims = m.shape.map((d, i) => (d >= 0 ? d : m.symbolicDimensions[i] || null));
  return { name: m.name, dtype: dataTypeOf(m.type), dims };
}

function messageOf(e: unknown): string {
  return e instanceof Error ? e.message : String(e);
}
