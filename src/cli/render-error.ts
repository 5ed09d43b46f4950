/** An error as the user sees it: code, cause, what to do. */
import { HalpError } from "../errors.js";
import { printable, type Styles } from "./style.js";
import { wrap } from "./table.js";

/** Exit code of a process ended by Ctrl-C: 128 + SIGINT, as shells have it. */
export const interruptedExitCode = 130;

export interface RenderedError {
  readonly text: string;
  readonly exitCode: number;
}

export interface ErrorOptions {
  /** Adds the stack, and the stacks of the causes. */
  readonly verbose: boolean;
  readonly width: number;
  readonly styles: Styles;
  readonly aborted: boolean;
  /** The command that goes on with what was done before the error. */
  readonly howToGoOn?: string;
}

export function renderError(error: unknown, options: ErrorOptions): RenderedError {
  const { styles, width, howToGoOn } = options;
  const saved =
    howToGoOn === undefined ? [] : [`  What was learnt is saved; go on with: ${styles.bold(printable(howToGoOn))}`];
  if (options.aborted || isAbort(error)) {
    const interrupted = `${styles.yellow("halp: interrupted")}; nothing half-written was left behind`;
    return { text: [interrupted, ...saved].join("\n"), exitCode: interruptedExitCode };
  }
  const known = error instanceof HalpError ? error : toHalpError(error);
  const lines = [`${styles.red(styles.bold("error"))} ${styles.bold(known.code)}${place(known)}`];
  lines.push(wrap(message(known.message), width, "  "), ...saved);
  if (options.verbose) lines.push(styles.dim(stacks(error)));
  else if (known.code === internalCode) lines.push("  Run again with --verbose for the stack, and please report it.");
  return { text: lines.join("\n"), exitCode: known.exitCode };
}

const internalCode = "HALP_INTERNAL";

function message(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

function place(error: HalpError): string {
  const node = error.node === undefined || error.node === "" ? "" : `node ${error.node}`;
  const parts = [error.file ?? "", node, error.opType === undefined ? "" : `(${error.opType})`].filter((s) => s !== "");
  return parts.length === 0 ? "" : `: ${printable(parts.join(" "))}`;
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === "AbortError" || error.message === "interrupted");
}

/** Errors of the file system speak of what the user gave; anything else is a fault of halp. */
function toHalpError(error: unknown): HalpError {
  const { code, path, message } = error as NodeJS.ErrnoException;
  const file = path === undefined ? {} : { file: path };
  if (code === "ENOENT")
    return new HalpError("HALP_FILE_MISSING", "There is no such file or folder. Check the path.", file);
  if (code === "EACCES" || code === "EPERM" || code === "EROFS")
    return new HalpError(
      "HALP_FILE_ACCESS",
      `It may not be read or written here (${code}). Check its permissions.`,
      file,
    );
  if (code === "EISDIR") return new HalpError("HALP_FILE_KIND", "A file was expected here, this is a folder.", file);
  if (code === "ENOTDIR") return new HalpError("HALP_FILE_KIND", "A folder was expected here, this is a file.", file);
  if (code === "ENOSPC")
    return new HalpError("HALP_DISK_FULL", "The disk is full. Make room and run again.", { ...file, exitCode: 1 });
  const text = error instanceof Error ? `${error.name}: ${message}` : String(error);
  return new HalpError(internalCode, `A fault in halp itself. ${text}`, { exitCode: 1, cause: error });
}

function stacks(error: unknown): string {
  const parts: string[] = [];
  for (let e = error, depth = 0; e !== undefined && e !== null && depth < 5; depth++) {
    parts.push(`${depth > 0 ? "caused by " : ""}${e instanceof Error ? e.stack : String(e)}`);
    e = e instanceof Error ? e.cause : undefined;
  }
  return parts.join("\n");
}
