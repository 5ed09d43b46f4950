import type { CudaConvolution } from "../../native/addon.js";

/** Milliseconds of one convolution on the stub: its own formula, written a second time. */
export function stubCost(c: CudaConvolution, algorithm: string): number {
  const [sh, sw] = c.stride ?? [1, 1];
  const [ph, pw] = c.padding ?? [0, 0];
  const height = Math.floor((c.inHeight + 2 * ph - c.kernelHeight) / sh) + 1;
  const width = Math.floor((c.inWidth + 2 * pw - c.kernelWidth) / sw) + 1;
  const channels = Math.ceil(c.outChannels / 32) * 32;
  const inputs = c.inChannels / (c.groups ?? 1);
  const rate = { WINOGRAD: 4e9, IMPLICIT_PRECOMP_GEMM: 2e9, IMPLICIT_GEMM: 1e9 }[algorithm]!;
  const tensorCores = c.precision === undefined || c.precision === "fp32" ? 1 : 2;
  return (
    0.003 + (2 * channels * inputs * c.kernelHeight * c.kernelWidth * c.batch * height * width) / (rate * tensorCores)
  );
}
