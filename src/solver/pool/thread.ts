// Threads alike in Node, Deno, Bun and browsers: worker_threads where there is a process, Web Workers elsewhere.

/** The other side of a thread. */
export interface Port {
  /** @param memory buffers that change hands: they are gone here afterwards */
  post(message: unknown, memory: readonly ArrayBuffer[]): void;
  listen(handler: (message: unknown) => void): void;
}

/** A thread as its owner sees it. */
export interface Thread extends Port {
  onFailure(handler: (reason: string) => void): void;
  /** Whether it keeps the process alive. */
  hold(held: boolean): void;
  end(): Promise<void>;
}

/** What is needed of a Web Worker. */
export interface WebWorker {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  terminate(): void;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: ((event: { readonly message?: string }) => void) | null;
}

const host = globalThis as unknown as {
  readonly process?: { readonly versions?: { readonly node?: string } };
  readonly Worker?: new (url: URL, options: { readonly type: "module" }) => WebWorker;
};

const hasProcess = host.process?.versions?.node !== undefined;

/** Kept from bundlers for the browser, which have no such module. */
const nodeThreads = "node:worker_threads";

/**
 * Starts a thread that runs worker.ts.
 * @param startWorker starts it where it is a Web Worker, in place of the file beside this one
 */
export async function startThread(startWorker: (() => WebWorker) | undefined): Promise<Thread> {
  if (startWorker !== undefined) return webThread(startWorker());
  if (hasProcess) return nodeThread();
  const { Worker } = host;
  if (Worker === undefined) throw new Error("this JavaScript engine has no workers");
  return webThread(new Worker(workerUrl(), { type: "module" }));
}

/** Beside this file, as long as no bundler has moved it. */
function workerUrl(): URL {
  try {
    return new URL("./worker.js", import.meta.url);
  } catch {
    throw new Error(bundled);
  }
}

const bundled =
  "the worker's file was not found; where a bundler has moved the files, give createSolverPool a startWorker that runs halp/solver/worker";

function webThread(worker: WebWorker): Thread {
  return {
    post: (message, memory) => worker.postMessage(message, [...memory]),
    listen(handler) {
      worker.onmessage = (event) => handler(event.data);
    },
    onFailure(handler) {
      worker.onerror = (event) => handler(event.message ?? bundled);
    },
    hold() {},
    end: async () => worker.terminate(),
  };
}

async function nodeThread(): Promise<Thread> {
  const { Worker } = (await import(nodeThreads)) as typeof import("node:worker_threads");
  const worker = new Worker(workerUrl());
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
      await worker.terminate();
    },
  };
}

/** The way back to the owner, from inside a thread. */
export async function insideWorker(): Promise<Port> {
  if (!hasProcess) {
    const scope = globalThis as unknown as WebWorker;
    return {
      post: (message, memory) => scope.postMessage(message, [...memory]),
      listen(handler) {
        scope.onmessage = (event) => handler(event.data);
      },
    };
  }
  const { parentPort } = (await import(nodeThreads)) as typeof import("node:worker_threads");
  return {
    post: (message, memory) => parentPort!.postMessage(message, [...memory]),
    listen(handler) {
      parentPort!.on("message", handler);
    },
  };
}
