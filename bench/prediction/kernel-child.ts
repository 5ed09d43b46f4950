/** Kernel times of whole networks, in a process with steady memory. */
import { lowerMean, profileModel, randomTensor, serveParent } from "../../src/runtime/index.js";

export interface KernelTask {
  readonly model: Uint8Array;
  readonly input: string;
  readonly dims: readonly number[];
  /** What the profiler adds to a kernel's time, in nanoseconds. */
  readonly nodeNs: number;
}

serveParent({
  /** Sum over the kernels of a network in nanoseconds: of each the mean of the lower half of its runs. */
  sum: ({ model, input, dims, nodeNs }: KernelTask): number => {
    const feeds = { [input]: randomTensor("float32", dims, 1) };
    const { kernels } = profileModel(model, feeds, {
      runs: (once) => Math.min(30, Math.max(10, Math.round(4e8 / once))),
    });
    return kernels.reduce((sum, k) => sum + lowerMean(k.ns) - nodeNs, 0);
  },
});
