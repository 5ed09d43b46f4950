/** Whether the addon's GPU part does on this machine what it does against the stub driver of the tests. */
import { HalpError } from "../errors.js";
import { attr } from "../graph/attributes.js";
import { GraphBuilder } from "../graph/builder.js";
import { float32Tensor } from "../graph/tensors.js";
import { createSession, quantileOf, randomTensor, spawnChild, zeroTensor } from "../runtime/index.js";
import type { ConvShape } from "./convolution.js";
import type { CudaComputeTask, CudaOpened, CudaOpenTask, CudaTimed, CudaTimeTask } from "./cuda-child.js";
import type { GpuForm } from "./device.js";
import type { GpuOptions } from "./meter.js";

export interface CudaCheck {
  readonly gpu: CudaOpened["device"] & { readonly cudnnVersion: string };
  readonly convolutions: readonly CheckedConvolution[];
  /** Greatest of the convolutions' ratios. */
  readonly worstRatio: number;
  /** Greatest difference of a convolution's result from the CPU's, as a part of its greatest value. */
  readonly resultError: number;
  /** Whether it all may be relied on. */
  readonly ok: boolean;
}

export interface CheckedConvolution {
  readonly name: string;
  /** Medians of both times, milliseconds; none where cuDNN has no such form. */
  readonly ms: readonly number[];
  /** The greater to the lesser. */
  readonly ratio: number;
  /** Of both times, where they differ. */
  readonly algorithm: string;
}

/** Two timings of a convolution may differ by this much. */
const repeatable = 1.1;
const sameResult = 1e-4;

const plain: ConvShape = {
  batch: 8,
  inChannels: 64,
  inHeight: 56,
  inWidth: 56,
  outChannels: 64,
  kernel: [3, 3],
  stride: [1, 1],
  padding: [1, 1],
  dilation: [1, 1],
  groups: 1,
  bias: false,
  residual: false,
  relu: false,
};
const fp32: GpuForm = { precision: "fp32", layout: "NCHW" };
const halves: GpuForm = { precision: "fp16", layout: "NHWC" };

/** Ten, so that each form is among them. */
const convolutions: readonly (readonly [name: string, shape: ConvShape, form: GpuForm])[] = [
  ["3x3", plain, fp32],
  ["1x1", { ...plain, inChannels: 256, kernel: [1, 1], padding: [0, 0] }, fp32],
  ["3x3, stride 2", { ...plain, outChannels: 128, stride: [2, 2] }, fp32],
  [
    "7x7, stride 2, of an image",
    { ...plain, inChannels: 3, inHeight: 224, inWidth: 224, kernel: [7, 7], stride: [2, 2], padding: [3, 3] },
    fp32,
  ],
  ["3x3, depthwise", { ...plain, groups: 64 }, fp32],
  ["3x3 with bias and ReLU", { ...plain, bias: true, relu: true }, fp32],
  ["3x3 with bias, residual and ReLU", { ...plain, bias: true, residual: true, relu: true }, fp32],
  ["3x3, TF32", plain, { precision: "tf32", layout: "NCHW" }],
  ["3x3, FP16, NHWC", plain, halves],
  ["3x3 with bias and ReLU, FP16, NHWC", { ...plain, bias: true, relu: true }, halves],
];

/**
 * Times ten convolutions twice, and holds one result against the CPU's.
 * @throws HalpError HALP_ADDON_MISSING, HALP_CUDA_LIBRARY, HALP_CUDA, HALP_CUDNN, HALP_RUNTIME_MISSING
 */
export async function checkCuda(
  index: number,
  libraries: NonNullable<GpuOptions["libraries"]> = {},
  signal?: AbortSignal,
): Promise<CudaCheck> {
  using child = spawnChild(new URL("./cuda-child.js", import.meta.url), signal ? { signal } : {});
  const { device, cudnnVersion } = await child.request<CudaOpened>("open", { index, libraries } satisfies CudaOpenTask);
  const times = convolutions.map((): number[] => []);
  const algorithms = convolutions.map(() => new Set<string>());
  for (let round = 0; round < 2; round++)
    for (const [i, [, shape, form]] of convolutions.entries()) {
      const task: CudaTimeTask = { shape, form, warmup: 20, repetitions: 30 };
      const timed = await child.request<CudaTimed>("time", task).catch((error: unknown) => {
        if (!(error instanceof HalpError) || error.code !== "HALP_CUDNN_UNSUPPORTED") throw error;
      });
      algorithms[i]?.add(timed && !timed.alone ? timed.algorithm : "cuDNN has no such form");
      if (timed && !timed.alone) times[i]?.push(quantileOf(timed.milliseconds.toSorted(), 0.5));
    }
  const checked = convolutions.map(([name], i): CheckedConvolution => {
    const ms = times[i] ?? [];
    return {
      name,
      ms,
      ratio: ms.length > 0 ? Math.max(...ms) / Math.min(...ms) : 1,
      algorithm: [...(algorithms[i] ?? [])].join(", "),
    };
  });
  const worstRatio = Math.max(...checked.map((c) => c.ratio));
  const resultError = await compareResult((task) => child.request<Float32Array>("compute", task));
  return {
    gpu: { ...device, cudnnVersion },
    convolutions: checked,
    worstRatio,
    resultError,
    ok: worstRatio <= repeatable && resultError <= sameResult && checked.some((c) => c.ms.length > 0),
  };
}

/** A convolution with bias and ReLU on the GPU and on the CPU, from the same numbers. */
async function compareResult(compute: (task: CudaComputeTask) => Promise<Float32Array>): Promise<number> {
  const shape: ConvShape = {
    ...plain,
    batch: 2,
    inChannels: 16,
    inHeight: 20,
    inWidth: 18,
    outChannels: 24,
    stride: [2, 1],
    bias: true,
    relu: true,
  };
  const draw = (dims: readonly number[], seed: number) => randomTensor("float32", dims, seed).data as Float32Array;
  const [x, weights, bias] = [draw([2, 16, 20, 18], 1), draw([24, 16, 3, 3], 2), draw([24], 3)];
  const g = new GraphBuilder();
  const held = [
    g.initializer(float32Tensor("w", [24, 16, 3, 3], weights)),
    g.initializer(float32Tensor("b", [24], bias)),
  ];
  const conv = { pads: attr.ints([1, 1, 1, 1]), strides: attr.ints(shape.stride), kernel_shape: attr.ints([3, 3]) };
  const y = g.node("Relu", [g.node("Conv", [g.input("x", [2, 16, 20, 18]), ...held], conv)]);
  g.output(y);
  using session = createSession(g.model({ opset: 13 }));
  const feeds = { x: { ...zeroTensor("float32", [2, 16, 20, 18]), data: x } };
  const here = session.run(feeds)[y]?.data as Float32Array;
  const there = await compute({ shape, x, weights, bias });
  if (there.length !== here.length) return Number.POSITIVE_INFINITY;
  const scale = here.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  return here.reduce((worst, v, i) => Math.max(worst, Math.abs(v - (there[i] ?? Number.NaN))), 0) / scale;
}
