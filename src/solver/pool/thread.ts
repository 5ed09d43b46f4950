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
