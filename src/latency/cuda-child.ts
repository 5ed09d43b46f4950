/** The process in which the addon times convolutions on a GPU. */
import { HalpError } from "../errors.js";
import { type Addon, loadAddon, serveParent } from "../runtime/index.js";
import type { ConvShape } from "./convolution.js";
import type { GpuForm } from "./device.js";

type ConvolutionTimer = InstanceType<Addon["ConvolutionTimer"]>;

export interface CudaOpenTask {
  readonly index: number;
  readonly libraries: { readonly cuda?: string; readonly cudnn?: string };
}
export interface CudaOpened {
  readonly device: ConvolutionTimer["device"];
  readonly cudnnVersion: string;
}
export interface CudaTimeTask {
  readonly shape: ConvShape;
  readonly form: GpuForm;
  readonly warmup: number;
  readonly repetitions: number;
}
export interface CudaComputeTask {
  readonly shape: ConvShape;
  readonly x: Float32Array;
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}
export interface CudaTimed {
  readonly milliseconds: Float64Array;
  readonly algorithm: string;
  /** The time is that of the convolution without bias, residual and ReLU: cuDNN has no form with them. */
  readonly alone: boolean;
}

let timer: ConvolutionTimer | undefined;

serveParent({
  open: ({ index, libraries }: CudaOpenTask): CudaOpened =>
    native(() => {
      timer?.dispose();
      const { addon, ...missing } = loadAddon();
      if (!addon)
        throw new HalpError(
          "HALP_ADDON_MISSING",
          `Timing on a GPU needs the addon. ${"reason" in missing ? missing.reason : ""}`,
        );
      timer = new addon.ConvolutionTimer(index, libraries);
      return { device: timer.device, cudnnVersion: timer.cudnnVersion };
    }),
  time: (task: CudaTimeTask): CudaTimed =>
    native(() => {
      try {
        return { ...timed(task, task.shape), alone: false };
      } catch (error) {
        const fused = task.shape.bias || task.shape.residual || task.shape.relu;
        if (!fused || (error as { code?: unknown }).code !== "HALP_CUDNN_UNSUPPORTED") throw error;
        return { ...timed(task, { ...task.shape, bias: false, residual: false, relu: false }), alone: true };
      }
    }),
  /** FP32, NCHW. */
  compute: ({ shape, x, weights, bias }: CudaComputeTask): Float32Array =>
    native(() => opened().compute(convolutionFor(shape), x, weights, bias)),
});

function timed({ form, warmup, repetitions }: CudaTimeTask, shape: ConvShape): Omit<CudaTimed, "alone"> {
  const { milliseconds, algorithm } = opened().time({ ...convolutionFor(shape), ...form }, { warmup, repetitions });
  return { milliseconds, algorithm };
}

function opened(): ConvolutionTimer {
  if (!timer) throw new Error("The GPU is not open.");
  return timer;
}

function convolutionFor({ kernel, ...rest }: ConvShape) {
  const [kernelHeight, kernelWidth] = kernel;
  return { ...rest, kernelHeight, kernelWidth };
}

/** Errors of the addon as halp's: code, and a message that holds the driver's name for what went wrong. */
function native<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { code, message } = error as { code?: unknown; message?: unknown };
    if (error instanceof HalpError || typeof code !== "string") throw error;
    const advice =
      code === "HALP_CUDA_LIBRARY"
        ? " Install NVIDIA's driver and cuDNN, or name their libraries with --cuda-library and --cudnn-library."
        : "";
    throw new HalpError(code, `${String(message)}${advice}`, { cause: error, exitCode: 1 });
  }
}
