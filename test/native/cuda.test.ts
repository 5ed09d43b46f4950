/** The CUDA part against a stub driver with a virtual clock. */
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import t from "tap";
import type { ConvolutionTimer, CudaConvolution } from "../../native/addon.js";
import { loadAddon } from "../../src/runtime/addon.js";
import { compileHarness, compileStub, missingCompiler } from "./compile.js";
import { stubCost } from "./stub-cost.js";

const noCompiler = missingCompiler();
const loaded = loadAddon();
const skip = noCompiler ?? (loaded.addon ? false : loaded.reason);

t.test(
  "under sanitisers every call fails in turn, and nothing stays behind",
  { skip: noCompiler ?? false },
  async (t) => {
    const stub = compileStub(true);
    const harness = compileHarness();
    const failure = stub.failure ?? harness.failure;
    if (failure && /cannot find .*(asan|ubsan)/i.test(failure)) {
      t.skip(`there are no sanitisers: ${failure.split("\n")[0]}`, () => {});
      return;
    }
    t.equal(failure, undefined, "both compile without a warning");
    const run = spawnSync(harness.path, [stub.path], { encoding: "utf8" });
    t.equal(run.status, 0, "the harness found nothing", {
      output: `${run.stdout}${run.stderr}`.split("\n").slice(0, 40),
    });
    const [, injected, functions] = /(\d+) failures injected into (\d+) functions/.exec(run.stdout) ?? [];
    t.ok(Number(injected) > 150 && Number(functions) > 40, run.stdout.trim());
  },
);

t.test("through the addon", { skip }, async (t) => {
  const { cudaDevices, ConvolutionTimer } = loaded.addon!;
  const stub = compileStub(false);
  t.equal(stub.failure, undefined, "the stub compiles");
  const libraries = { cuda: stub.path, cudnn: ["libno-such-cudnn.so.9", stub.path] };
  const plain: CudaConvolution = {
    batch: 1,
    inChannels: 16,
    inHeight: 14,
    inWidth: 14,
    outChannels: 40,
    kernelHeight: 3,
    kernelWidth: 3,
    padding: [1, 1],
  };
  const withTimer = (work: (timer: ConvolutionTimer) => void, device = 0) => {
    const timer = new ConvolutionTimer(device, libraries);
    try {
      work(timer);
    } finally {
      timer.dispose();
    }
  };
  const withSwitch = (name: string, value: string, work: () => void) => {
    process.env[name] = value;
    try {
      work();
    } finally {
      delete process.env[name];
    }
  };

  t.test("devices are described", async (t) => {
    t.same(
      cudaDevices(libraries),
      [0, 1].map((index) => ({
        index,
        name: `Stub GPU ${index}`,
        computeCapability: "8.6",
        multiprocessors: 28,
        clockKHz: 1777000,
        memoryBytes: 2 ** 32,
        driverVersion: "13.0",
      })),
    );
    withTimer((timer) => {
      t.equal(timer.device.name, "Stub GPU 1");
      t.equal(timer.cudnnVersion, "9.1.0");
    }, 1);
  });

  t.test("timings are the stub's virtual time, for every form", async (t) => {
    const forms: [Partial<CudaConvolution>, string][] = [
      [{}, "WINOGRAD"],
      [{ stride: [2, 1] }, "IMPLICIT_PRECOMP_GEMM"],
      [{ layout: "NHWC" }, "IMPLICIT_PRECOMP_GEMM"],
      [{ precision: "tf32" }, "WINOGRAD"],
      [{ precision: "fp16", layout: "NHWC", bias: true, relu: true }, "IMPLICIT_PRECOMP_GEMM"],
      [{ bias: true, residual: true, relu: true }, "WINOGRAD"],
      [{ bias: true }, "IMPLICIT_PRECOMP_GEMM"],
      [{ groups: 8, kernelHeight: 1, kernelWidth: 1, padding: [0, 0] }, "IMPLICIT_PRECOMP_GEMM"],
    ];
    withTimer((timer) => {
      for (const [form, algorithm] of forms) {
        const convolution = { ...plain, ...form };
        const timing = timer.time(convolution, { warmup: 3, repetitions: 5, perSample: 4 });
        t.equal(timing.algorithm, algorithm, JSON.stringify(form));
        const expected = stubCost(convolution, algorithm);
        t.equal(timing.milliseconds.length, 5);
        // CUDA tells the time in single precision.
        t.ok(
          timing.milliseconds.every((ms) => Math.abs(ms / expected - 1) < 1e-4),
          `${timing.milliseconds} against ${expected}`,
        );
      }
      t.match(timer.time(plain, { perSample: 7 }), { perSample: 7, captured: true });
      const cost = stubCost(plain, "WINOGRAD");
      const longer = { ...plain, inChannels: 64, inHeight: 40, inWidth: 40 };
      const fill = Math.ceil(0.5 / stubCost(longer, "WINOGRAD"));
      t.equal(timer.time(longer, { repetitions: 2 }).perSample, fill, "as many as take half a millisecond");
      withSwitch("STUB_MISLED", "1", () =>
        t.equal(timer.time(plain).algorithm, "WINOGRAD", "cuDNN's word for which is fastest is not taken"),
      );
      withSwitch("STUB_UNCAPTURED", "1", () => {
        const { captured, milliseconds } = timer.time(plain, { repetitions: 5 });
        t.equal(captured, false);
        t.ok(
          milliseconds.every((ms) => Math.abs(ms / cost - 1) < 1e-4),
          "what cannot be captured is queued",
        );
      });
      t.equal(timer.time(plain, { workspaceLimitBytes: 0 }).algorithm, "IMPLICIT_GEMM", "no workspace allowed");
      const fallback = { ...plain, relu: true };
      withSwitch("STUB_UNFUSED", "6", () => t.equal(timer.time(fallback).algorithm, "IMPLICIT_PRECOMP_GEMM"));
      t.ok(timer.time(plain).milliseconds.length === 50, "50 samples unless asked otherwise");
    });
  });

  t.test("results are those of a convolution", async (t) => {
    const dimension = fc.integer({ min: 1, max: 4 });
    withTimer((timer) => {
      fc.assert(
        fc.property(
          fc.record({ batch: dimension, perGroupIn: dimension, perGroupOut: dimension, groups: dimension }),
          fc.record({
            h: fc.integer({ min: 3, max: 7 }),
            w: fc.integer({ min: 3, max: 7 }),
            k: fc.integer({ min: 1, max: 3 }),
          }),
          fc.record({ bias: fc.boolean(), residual: fc.boolean(), relu: fc.boolean(), nhwc: fc.boolean() }),
          fc.integer(),
          (c, e, f, seed) => {
            const stride = [1 + (seed & 1), 1] as const;
            const convolution: CudaConvolution = {
              batch: c.batch,
              inChannels: c.perGroupIn * c.groups,
              outChannels: c.perGroupOut * c.groups,
              groups: c.groups,
              inHeight: e.h,
              inWidth: e.w,
              kernelHeight: e.k,
              kernelWidth: 1,
              padding: [e.k - 1, 0],
              stride,
              bias: f.bias,
              residual: f.residual,
              relu: f.relu,
              layout: f.nhwc ? "NHWC" : "NCHW",
            };
            const height = Math.floor((e.h + 2 * (e.k - 1) - e.k) / stride[0]) + 1;
            let state = seed;
            const noise = (n: number) =>
              Float32Array.from({ length: n }, () => {
                state = (Math.imul(state, 1103515245) + 12345) | 0;
                return (state >> 16) / 2 ** 15;
              });
            const x = noise(c.batch * convolution.inChannels * e.h * e.w);
            const w = noise(convolution.outChannels * c.perGroupIn * e.k);
            const bias = f.bias ? noise(convolution.outChannels) : undefined;
            const residual = f.residual ? noise(c.batch * convolution.outChannels * height * e.w) : undefined;
            const y = timer.compute(convolution, x, w, bias, residual);
            // Column j of the output reads column j of the input: the kernel is one column wide.
            const at = (n: number, ch: number, i: number, j: number, C: number, H: number) =>
              f.nhwc ? ((n * H + i) * e.w + j) * C + ch : ((n * C + ch) * H + i) * e.w + j;
            for (let n = 0; n < c.batch; n++)
              for (let k = 0; k < convolution.outChannels; k++)
                for (let i = 0; i < height; i++)
                  for (let j = 0; j < e.w; j++) {
                    let sum = bias?.[k] ?? 0;
                    for (let ch = 0; ch < c.perGroupIn; ch++)
                      for (let r = 0; r < e.k; r++) {
                        const row = i * stride[0] - (e.k - 1) + r;
                        if (row < 0 || row >= e.h) continue;
                        const from = Math.floor(k / c.perGroupOut) * c.perGroupIn + ch;
                        const weight = f.nhwc ? (k * e.k + r) * c.perGroupIn + ch : (k * c.perGroupIn + ch) * e.k + r;
                        sum += x[at(n, from, row, j, convolution.inChannels, e.h)]! * w[weight]!;
                      }
                    const place = at(n, k, i, j, convolution.outChannels, height);
                    sum += residual?.[place] ?? 0;
                    const want = f.relu ? Math.max(0, sum) : sum;
                    if (Math.abs(y[place]! - want) > 1e-4)
                      throw new Error(`y[${n}, ${k}, ${i}, ${j}] = ${y[place]}, not ${want}`);
                  }
          },
        ),
        { numRuns: 60 },
      );
    });
    t.pass("as computed here");
  });

  t.test("errors carry code, call, status and name", async (t) => {
    withSwitch("STUB_DEVICES", "0", () => {
      const expected = {
        code: "HALP_CUDA",
        call: "cuInit",
        status: 100,
        statusName: "CUDA_ERROR_NO_DEVICE",
        message: "cuInit: CUDA error 100 CUDA_ERROR_NO_DEVICE (no CUDA-capable device is detected)",
      };
      t.throws(() => cudaDevices(libraries), expected);
      t.throws(() => new ConvolutionTimer(0, libraries), expected);
    });
    withSwitch("STUB_FAIL", "cudnnConvolutionForward:3:8", () =>
      withTimer((timer) =>
        t.throws(() => timer.time(plain), {
          code: "HALP_CUDNN",
          call: "cudnnConvolutionForward",
          status: 8,
          statusName: "CUDNN_STATUS_EXECUTION_FAILED",
        }),
      ),
    );
    withSwitch("STUB_FAIL", "cuEventSynchronize:1:12345", () =>
      withTimer((timer) => t.throws(() => timer.time(plain), { message: "cuEventSynchronize: CUDA error 12345" })),
    );
    withSwitch("STUB_UNFUSED", "1", () =>
      withTimer((timer) =>
        t.throws(() => timer.time({ ...plain, bias: true }), {
          code: "HALP_CUDNN_UNSUPPORTED",
          statusName: /NOT_SUPPORTED/,
        }),
      ),
    );
    withSwitch("STUB_CUDNN", "7605", () =>
      t.throws(() => new ConvolutionTimer(0, libraries), {
        code: "HALP_CUDA_LIBRARY",
        message: /cuDNN 7\.6\.5 is too old/,
      }),
    );
    withSwitch("STUB_CUDNN", "8907", () => withTimer((timer) => t.equal(timer.cudnnVersion, "8.9.7")));
    t.throws(() => cudaDevices({ cuda: ["libno-such-a.so", "libno-such-b.so"] }), {
      code: "HALP_CUDA_LIBRARY",
      message: /libno-such-a\.so[\s\S]*libno-such-b\.so/,
    });
    t.throws(() => cudaDevices({ cuda: "libm.so.6" }), {
      code: "HALP_CUDA_LIBRARY",
      message: /libm\.so\.6 has no function cuInit/,
    });
  });

  t.test("arguments are checked before the driver is asked", async (t) => {
    const argument = { code: "HALP_NATIVE_ARGUMENT" };
    t.throws(() => new ConvolutionTimer(2, libraries), { ...argument, message: /no CUDA device 2; the driver sees 2/ });
    t.throws(() => new ConvolutionTimer("0" as unknown as number, libraries), argument);
    t.throws(() => new ConvolutionTimer(0, { cuda: [] }), argument);
    t.throws(() => new ConvolutionTimer(0, 7 as unknown as object), argument);
    const wrong: Record<string, unknown>[] = [
      { batch: 0 },
      { outChannels: 1.5 },
      { inHeight: undefined },
      { groups: 3 },
      { kernelHeight: 17 },
      { stride: [1] },
      { stride: 2 },
      { stride: [0, 1] },
      { padding: [-1, 0] },
      { precision: "int8" },
      { layout: "CHWN" },
      { bias: 1 },
      { inHeight: 65536, inWidth: 65536 },
    ];
    withTimer((timer) => {
      for (const change of wrong) {
        const convolution = { ...plain, ...change } as unknown as CudaConvolution;
        t.throws(() => timer.time(convolution), argument, JSON.stringify(change));
      }
      t.throws(() => timer.time(undefined as unknown as CudaConvolution), argument);
      for (const options of [{ warmup: -1 }, { repetitions: 0 }, { perSample: -1 }, { workspaceLimitBytes: -1 }]) {
        t.throws(() => timer.time(plain, options), argument, JSON.stringify(options));
      }
      const x = new Float32Array(16 * 14 * 14);
      const w = new Float32Array(40 * 16 * 9);
      t.throws(() => timer.compute(plain, x.subarray(1), w), { ...argument, message: /x holds 3135 values/ });
      t.throws(() => timer.compute(plain, x, new Float64Array(1) as unknown as Float32Array), argument);
      t.throws(() => timer.compute({ ...plain, bias: true }, x, w), argument);
      t.throws(() => timer.compute({ ...plain, precision: "fp16" }, x, w), argument);
      timer.dispose();
      t.throws(() => timer.time(plain), { ...argument, message: /disposed/ });
    });
    t.throws(() => (ConvolutionTimer as unknown as () => void)(), TypeError, "a class is called with new");
  });
});
