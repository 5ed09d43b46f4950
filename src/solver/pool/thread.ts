// Threads alike in Node, Deno, Bun and browsers: worker_threads where there is a process, Web Workers elsewhere.

/** The other side of a thread. */
export interface Port {
  post(message: unknown): void;
  listen(handler: (message: unknown) => void): void;
}

/** A thread as its owner sees it. */
export interface Thread extends Port {
  onFailure(handler: (reason: string) => void): void;
  /** Whether it keeps the process alive. */
  hold(held: boolean): void;
  end(): Promise<void>;
}

interface WebWorker {
  postMessage(message: unknown): void;
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

/** Starts a thread that runs a module. */
export async function startThread(url: URL): Promise<Thread> {
  if (!hasProcess && host.Worker !== undefined) {
    const worker = new host.Worker(url, { type: "module" });
    return {
      post: (message) => worker.postMessage(message),
      listen(handler) {
        worker.onmessage = (event) => handler(event.data);
      },
      onFailure(handler) {
        worker.onerror = (event) => handler(event.message ?? "the worker could not be started");
      },
      hold() {},
      end: async () => worker.terminate(),
    };
  }
  const { Worker } = (await import(nodeThreads)) as typeof import("node:worker_threads");
  const worker = new Worker(url);
  return {
    post: (message) => worker.postMessage(message),
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
      post: (message) => scope.postMessage(message),
      listen(handler) {
        scope.onmessage = (event) => handler(event.data);
      },
    };
  }
  const { parentPort } = (await import(nodeThreads)) as typeof import("node:worker_threads");
  return {
    post: (message) => parentPort!.postMessage(message),
    listen(handler) {
      parentPort!.on("message", handler);
    },
  };
}
