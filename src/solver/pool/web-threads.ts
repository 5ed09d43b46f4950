import type { Port, Thread, WebWorker } from "./thread.js";

// Threads where there are Web Workers and nothing else. Bundlers for browsers take this file in place of threads.ts: see
// "browser" in package.json.

/**
 * Starts a thread that runs worker.ts.
 * @param startWorker starts it, in place of the file beside this one
 */
export async function startThread(startWorker?: () => WebWorker): Promise<Thread> {
  if (startWorker !== undefined) return webThread(startWorker());
  const { Worker } = globalThis as unknown as {
    readonly Worker?: new (url: URL, options: { readonly type: "module" }) => WebWorker;
  };
  if (Worker === undefined) throw new Error("this JavaScript engine has no workers");
  return webThread(new Worker(workerUrl(), { type: "module" }));
}

/** The worker's file, beside this one as long as no bundler has moved it. */
export function workerUrl(): URL {
  try {
    return new URL("./worker.js", import.meta.url);
  } catch {
    throw new Error(moved);
  }
}

const moved =
  "the worker's file was not found; where a bundler has moved the files, give createSolverPool a startWorker that runs halp/solver/worker";

function webThread(worker: WebWorker): Thread {
  return {
    post: (message, memory) => worker.postMessage(message, [...memory]),
    listen(handler) {
      worker.onmessage = (event) => handler(event.data);
    },
    onFailure(handler) {
      // a file that cannot be loaded gives an event without a message
      worker.onerror = (event) => handler(event.message || moved);
    },
    hold() {},
    end: async () => worker.terminate(),
  };
}

/** The way back to the owner, from inside a thread; null where this is no such thread. */
export async function insideWorker(): Promise<Port | null> {
  if ("document" in globalThis) return null;
  const scope = globalThis as unknown as WebWorker;
  return {
    post: (message, memory) => scope.postMessage(message, [...memory]),
    listen(handler) {
      scope.onmessage = (event) => handler(event.data);
    },
  };
}
