import { once } from "node:events";
import { addAbortSignal } from "node:stream";

/** What a command sees of the world, so that tests can hand it another. */

export interface CliIo {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Resolves once what was written to stdout has gone out, so far that more is welcome. */
  readonly drained: () => Promise<void>;
  /** stdin, in parts of any size; ends with an AbortError when the signal aborts. */
  readonly stdin: () => AsyncIterable<string>;
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
    drained: async () => {
      if (stdout.writableNeedDrain) await once(stdout, "drain");
    },
    stdin: () => addAbortSignal(signal, process.stdin.setEncoding("utf8")),
    columns: stdout.isTTY ? stdout.columns : undefined,
    bars: stderr.isTTY === true && process.env.TERM !== "dumb",
    color: { stdout: stdout.isTTY === true && !plain, stderr: stderr.isTTY === true && !plain },
    clock: () => performance.now(),
    signal,
  };
}
