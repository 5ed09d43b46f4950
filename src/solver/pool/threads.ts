// Threads alike in Node, Deno, Bun and browsers: worker_threads where there is a process, Web Workers elsewhere.
import type { Port, Thread, WebWorker } from "./thread.js";
import * as web from "./web-threads.js";

const { process } = globalThis as unknown as {
  readonly process?: { readonly versions?: { readonly node?: string } };
};
const hasProcess = process?.versions?.node !== undefined;

/** Kept from bundlers that would look for it: where there is no process, it is never asked for. */
const nodeThreads = "node:worker_threads";

/**
 * Starts a thread that runs worker.ts.
 * @param startWorker starts it as a Web Worker, in place of the file beside this one
 */
export async function startThread(startWorker?: () => WebWorker): Promise<Thread> {
  if (startWorker !== undefined || !hasProcess) return web.startThread(startWorker);
  const { Worker } = (await import(nodeThreads)) as typeof import("node:worker_threads");
  const worker = new Worker(web.workerUrl());
  return {
    post: (message, memory) => worker.postMessage(message, [...memory]),
    listen(handler) {
      worker.on("message", handler);
    },
    onFailure(handler) {
      worker.on("error", (error) => handler(error instanceof Error ? error.message : String(error)));
      worker.on("exit", (code) => handler(`the worker ended with code ${code}`));
    },
    hold(held) {
      if (held) worker.ref();
      else worker.unref();
    },
    end: async () => {
      // else the process may end before this does
      worker.ref();
      await worker.terminate();
    },
  };
}

/** The way back to the owner, from inside a thread; null where this is no such thread. */
export async function insideWorker(): Promise<Port | null> {
  if (!hasProcess) return web.insideWorker();
  const { parentPort } = (await import(nodeThreads)) as typeof import("node:worker_threads");
  if (parentPort === null) return null;
  return {
    post: (message, memory) => parentPort.postMessage(message, [...memory]),
    listen(handler) {
      parentPort.on("message", handler);
    },
  };
}
