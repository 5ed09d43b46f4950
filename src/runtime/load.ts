/** The one place that loads onnxruntime-node, and only when a session is asked for. */
import { createRequire } from "node:module";
import { HalpError } from "../errors.js";

/** The synchronous session of the runtime's native binding; the package's own promises only wrap it. */
export interface NativeSession {
  loadModel(path: string, options: object): void;
  loadModel(buffer: ArrayBufferLike, byteOffset: number, byteLength: number, options: object): void;
  readonly inputMetadata: readonly NativeMetadata[];
  readonly outputMetadata: readonly NativeMetadata[];
  run(
    feeds: Record<string, unknown>,
    fetches: Record<string, unknown>,
    options: object,
  ): Record<string, { type: string; dims: readonly number[]; data: unknown }>;
  endProfiling(): void;
  dispose(): void;
}
export interface NativeMetadata {
  readonly name: string;
  readonly isTensor: boolean;
  /** ONNX TensorProto.DataType. */
  readonly type: number;
  /** -1 where the dimension has a name, or none. */
  readonly shape: readonly number[];
  readonly symbolicDimensions: readonly string[];
}
export interface Runtime {
  readonly version: string;
  readonly Session: new () => NativeSession;
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => unknown;
  /** Execution providers that came with it. */
  readonly providers: readonly string[];
}

let loaded: Runtime | undefined;

/** @throws HalpError HALP_RUNTIME_MISSING where onnxruntime-node is not installed or its library does not load. */
export function loadRuntime(): Runtime {
  if (loaded) return loaded;
  const require = createRequire(import.meta.url);
  // Since 1.30 it tells its maker of each session over the network, and leaves files behind, unless it is told not to.
  process.env.ORT_DISABLE_TELEMETRY ??= "1";
  try {
    const { binding, initOrt } = require("onnxruntime-node/dist/binding.js") as {
      binding: {
        InferenceSession: Runtime["Session"];
        listSupportedBackends?: () => readonly { readonly name: string; readonly bundled: boolean }[];
      };
      initOrt: () => void;
    };
    const { Tensor } = require("onnxruntime-node") as { Tensor: Runtime["Tensor"] };
    const { version } = require("onnxruntime-node/package.json") as { version: string };
    initOrt();
    const listed = binding.listSupportedBackends?.() ?? [{ name: "cpu", bundled: true }];
    const providers = listed.flatMap(({ name, bundled }) => (bundled ? [name] : []));
    loaded = { version, Session: binding.InferenceSession, Tensor, providers };
    return loaded;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    throw new HalpError(
      "HALP_RUNTIME_MISSING",
      `ONNX Runtime could not be loaded on ${process.platform}-${process.arch}: ${reason}\n` +
        "Run: npm install onnxruntime-node@1.30.0 --onnxruntime-node-install=skip\n" +
        "(the setting keeps npm from downloading CUDA libraries that halp does not use).",
      { cause, exitCode: 1 },
    );
  }
}

/** Version of the installed runtime. @throws HalpError HALP_RUNTIME_MISSING */
export function runtimeVersion(): string {
  return loadRuntime().version;
}

/** Execution providers that came with the installed runtime. @throws HalpError HALP_RUNTIME_MISSING */
export function runtimeProviders(): readonly string[] {
  return loadRuntime().providers;
}
