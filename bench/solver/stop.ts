/** The wish to end early, with what was measured so far. */
export interface Stop {
  readonly stopped: boolean;
  /** Calls back once when the wish comes; gives the way to forget it again. */
  onStop(handler: () => void): () => void;
  /** Listens no longer. */
  close(): void;
}

/** Listens for Ctrl-C: the first one asks for an end, the second one ends at once. */
export function stopOnInterrupt(): Stop {
  let stopped = false;
  const handlers = new Set<() => void>();
  const interrupt = (): void => {
    if (stopped) process.exit(130);
    stopped = true;
    console.error("\ninterrupted: writing what was measured so far; once more to end at once");
    for (const handler of [...handlers]) handler();
  };
  process.on("SIGINT", interrupt);
  return {
    get stopped() {
      return stopped;
    },
    onStop(handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    close: () => process.off("SIGINT", interrupt),
  };
}
