/**
 * Uses an addon in every way that could hurt: from several threads at once, by threads that are ended in the middle of a call,
 * loaded again and again, with wrong arguments. Arguments: the addon, the stub driver.
 */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { type Addon, loadAddon } from "../../src/runtime/addon.js";

interface Given {
  readonly addon: string;
  readonly stub: string;
  /** Goes on until it is ended. */
  readonly forever: boolean;
}

const convolution = {
  ...{ batch: 1, inChannels: 16, inHeight: 14, inWidth: 14, outChannels: 24 },
  ...{ kernelHeight: 3, kernelWidth: 3, padding: [1, 1] as const, bias: true, relu: true },
};

function open(path: string): Addon {
  const loaded = loadAddon(path);
  if (!loaded.addon) throw new Error(loaded.reason);
  return loaded.addon;
}

/** @returns calls that were refused, as they ought to be */
function use({ addon: path, stub }: Given): number {
  const addon = open(path);
  const libraries = { cuda: stub, cudnn: stub };
  let refused = 0;
  const wrong = (call: () => unknown): void => {
    try {
      call();
    } catch {
      refused++;
    }
  };
  addon.setThreadAffinity(addon.readCpu().allowedCores ?? [0]);
  const before = addon.pinThread(addon.readCpu().allowedCores?.[0] ?? 0);
  addon.setThreadAffinity(before);
  addon.cudaDevices(libraries);
  const timer = new addon.ConvolutionTimer(0, libraries);
  timer.time(convolution, { repetitions: 3, perSample: 2 });
  wrong(() => timer.time({ ...convolution, inChannels: -1 }));
  wrong(() => timer.time({ ...convolution, outChannels: 2 ** 31 }));
  wrong(() => timer.time({} as never));
  wrong(() => addon.pinThread(-1));
  wrong(() => addon.setThreadAffinity([99999]));
  wrong(() => addon.setThreadAffinity("all" as never));
  wrong(() => new addon.ConvolutionTimer(7, libraries));
  wrong(() => addon.cudaDevices({ cuda: "libno-such.so" }));
  timer.dispose();
  timer.dispose();
  wrong(() => timer.time(convolution));
  // One that nobody disposes of: the collector has to.
  new addon.ConvolutionTimer(1, libraries);
  return refused;
}

function started(given: Given): Worker {
  return new Worker(new URL(import.meta.url), { workerData: given });
}

if (isMainThread) {
  const [addon = "", stub = ""] = process.argv.slice(2);
  const given = { addon, stub, forever: false };
  if (use(given) !== 9) throw new Error("a wrong call was not refused");
  const whole = Array.from({ length: 6 }, () => started(given));
  await Promise.all(
    whole.map(
      (worker) =>
        new Promise<void>((resolve, reject) => {
          worker.on("error", reject);
          worker.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`a thread ended with ${code}`))));
        }),
    ),
  );
  let ended = 0;
  for (let round = 0; round < 12; round++) {
    const worker = started({ ...given, forever: true });
    await new Promise<void>((resolve) => worker.once("message", () => resolve()));
    await new Promise((resolve) => setTimeout(resolve, 3 * round));
    await worker.terminate();
    ended++;
  }
  use(given);
  console.log(`${whole.length} threads at once, ${ended} ended in the middle`);
} else {
  const given = workerData as Given;
  use(given);
  parentPort?.postMessage("at work");
  while (given.forever) use(given);
}
