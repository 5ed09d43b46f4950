/** What a command sees of the world, so that tests can hand it another. */

export interface CliIo {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly readStdin: () => Promise<string>;
  /** Width of the terminal on stdout, in characters; undefined where stdout is no terminal. */
  readonly columns: number | undefined;
  /** Whether stderr is a terminal: progress is drawn as a bar that redraws itself. */
  readonly bars: boolean;
  readonly color: { readonly stdout: boolean; readonly stderr: boolean };
  /** Milliseconds. */
  readonly clock: () => number;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/**
 * The real one. Colours are used on terminals only, and not where NO_COLOR is set to anything (no-color.org) or the
 * terminal is a dumb one.
 */
export function processIo(signal: AbortSignal): CliIo {
  const { stdout, stderr } = process;
  const plain = (process.env.NO_COLOR ?? "") !== "" || process.env.TERM === "dumb";
  return {
    stdout: (text) => void stdout.write(text),
    stderr: (text) => void stderr.write(text),
    readStdin: async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks).toString("utf8");
    },
    columns: stdout.isTTY ? stdout.columns : undefined,
    bars: stderr.isTTY === true && process.env.TERM !== "dumb",
    color: { stdout: stdout.isTTY === true && !plain, stderr: stderr.isTTY === true && !plain },
    clock: () => performance.now(),
    signal,
  };
}
