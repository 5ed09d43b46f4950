/**
 * What the C++ addon exports. Errors are `NativeError`s. All calls are synchronous and block the thread that makes them.
 * CUDA is opened at run time: nothing of it need be installed to build or load the addon.
 */

/** What the addon throws. */
export interface NativeError extends Error {
  readonly code:
    | "HALP_NATIVE_ARGUMENT"
    | "HALP_NATIVE_SYSTEM"
    | "HALP_CUDA_LIBRARY"
    | "HALP_CUDA"
    | "HALP_CUDNN"
    | "HALP_CUDNN_UNSUPPORTED";
  /** The driver's or library's function that was refused: "cuMemAlloc_v2". */
  readonly call?: string;
  /** What it returned, and what that is called: 2, "CUDA_ERROR_OUT_OF_MEMORY". */
  readonly status?: number;
  readonly statusName?: string;
}

/** What is absent is what the system does not tell. */
export interface CpuInfo {
  readonly model?: string;
  /** As the system names them: "avx2", "avx512f", "asimd". */
  readonly flags: readonly string[];
  readonly logicalCores: number;
  readonly physicalCores?: number;
  /** Cores that this thread may run on. */
  readonly allowedCores?: readonly number[];
  /** Core that this thread runs on now. */
  readonly currentCore?: number;
  /** Of that core: "performance", "powersave", "schedutil". */
  readonly governor?: string;
  readonly currentKHz?: number;
  readonly minKHz?: number;
  readonly maxKHz?: number;
}

export function readCpu(): CpuInfo;

/**
 * Lets the calling thread, and threads that it starts later, run on one core alone.
 * @returns the cores it was allowed before, for `setThreadAffinity` to restore
 * @throws NativeError HALP_NATIVE_ARGUMENT, HALP_NATIVE_SYSTEM
 */
export function pinThread(core: number): number[];

/**
 * Lets the calling thread, and threads that it starts later, run on these cores alone.
 * @returns the cores it was allowed before
 * @throws NativeError HALP_NATIVE_ARGUMENT, HALP_NATIVE_SYSTEM
 */
export function setThreadAffinity(cores: readonly number[]): number[];

/** Names or paths of the libraries, tried in order. Defaults: libcuda.so.1, libcuda.so; libcudnn.so.9, .8, libcudnn.so. */
export interface LibraryNames {
  readonly cuda?: string | readonly string[];
  readonly cudnn?: string | readonly string[];
}

export interface CudaDeviceInfo {
  readonly index: number;
  readonly name: string;
  /** "8.6" */
  readonly computeCapability: string;
  readonly multiprocessors: number;
  readonly clockKHz: number;
  readonly memoryBytes: number;
  /** CUDA version of the driver: "13.0". */
  readonly driverVersion: string;
}

/**
 * The GPUs that the driver sees; needs no cuDNN.
 * @throws NativeError HALP_CUDA_LIBRARY (no driver), HALP_CUDA (CUDA_ERROR_NO_DEVICE among others)
 */
export function cudaDevices(libraries?: LibraryNames): CudaDeviceInfo[];

/** One convolution as cuDNN can express it; padding is the same on both sides. */
export interface CudaConvolution {
  readonly batch: number;
  readonly inChannels: number;
  readonly inHeight: number;
  readonly inWidth: number;
  readonly outChannels: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  /** [height, width]; default [1, 1]. */
  readonly stride?: readonly [number, number];
  /** [height, width], added on both sides; default [0, 0]. */
  readonly padding?: readonly [number, number];
  /** [height, width]; default [1, 1]. */
  readonly dilation?: readonly [number, number];
  /** Default 1. */
  readonly groups?: number;
  /** tf32: FP32 tensors, products rounded to TF32. fp16: FP16 tensors, sums in FP32. Default fp32. */
  readonly precision?: "fp32" | "tf32" | "fp16";
  /** Of x, y and weights ([O, I, H, W] or [O, H, W, I]). Default NCHW. */
  readonly layout?: "NCHW" | "NHWC";
  /** Fused into the convolution, in this order: bias, then the sum with a residual of the output's shape, then ReLU. */
  readonly bias?: boolean;
  readonly residual?: boolean;
  readonly relu?: boolean;
}

export interface TimingOptions {
  /** Convolutions before the first event. Default 10. */
  readonly warmup?: number;
  /** Samples. Default 50. */
  readonly repetitions?: number;
  /** Convolutions between two events, at most 10000. Default (0): as many as take half a millisecond, at most 128. */
  readonly perSample?: number;
  /** Algorithms that need more workspace are left out. Default 2^30. */
  readonly workspaceLimitBytes?: number;
}

export interface ConvolutionTiming {
  /** One for each repetition, per convolution, by CUDA events. */
  readonly milliseconds: Float64Array;
  /** The fastest: "IMPLICIT_PRECOMP_GEMM". */
  readonly algorithm: string;
  readonly workspaceBytes: number;
  readonly perSample: number;
  /** Whether they were given to the GPU at once, as a graph. If not, a short convolution's time is that of the host's queueing. */
  readonly captured: boolean;
}

/** Owns a stream, a cuDNN handle and device memory on one GPU: dispose of it. One thread at a time. */
export class ConvolutionTimer {
  /** @throws NativeError HALP_CUDA_LIBRARY, HALP_CUDA, HALP_CUDNN, HALP_NATIVE_ARGUMENT (no such device) */
  constructor(device: number, libraries?: LibraryNames);
  readonly device: CudaDeviceInfo;
  /** "9.1.0" */
  readonly cudnnVersion: string;
  /**
   * @throws NativeError HALP_NATIVE_ARGUMENT, HALP_CUDA, HALP_CUDNN, HALP_CUDNN_UNSUPPORTED (cuDNN has no such form, fused or in
   * this precision and layout). All memory is given back then, and the timer can be used again unless the device itself is lost.
   */
  time(convolution: CudaConvolution, options?: TimingOptions): ConvolutionTiming;
  /**
   * The result itself, to be held against the CPU's; fp32 and tf32 alone. `bias` and `residual` are given where the
   * convolution has them.
   * @throws NativeError as `time`
   */
  compute(
    convolution: CudaConvolution,
    x: Float32Array,
    weights: Float32Array,
    bias?: Float32Array,
    residual?: Float32Array,
  ): Float32Array;
  /** Gives all back; a second call does nothing. */
  dispose(): void;
}
