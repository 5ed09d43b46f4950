import { HalpError } from "../errors.js";

/** The one who asked can mend these: all end with exit code 2. */
export function formatError(file: string, message: string, cause?: unknown): HalpError {
  return new HalpError("HALP_DATA_FORMAT", `${file}: ${message}`, { file, exitCode: 2, cause });
}

export function shapeError(file: string, message: string): HalpError {
  return new HalpError("HALP_DATA_SHAPE", `${file}: ${message}`, { file, exitCode: 2 });
}

export function missingError(file: string, message: string, cause?: unknown): HalpError {
  return new HalpError("HALP_DATA_MISSING", `${file}: ${message}`, { file, exitCode: 2, cause });
}

export function labelError(file: string, message: string): HalpError {
  return new HalpError("HALP_LABEL_RANGE", `${file}: ${message}`, { file, exitCode: 2 });
}

export function optionError(message: string): HalpError {
  return new HalpError("HALP_DATA_OPTION", message, { exitCode: 2 });
}

/** What the file system said, as one of the room's own errors. */
export function fileError(file: string, cause: unknown): HalpError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  if (code === "ENOENT" || code === "ENOTDIR") return missingError(file, "there is nothing at this path.", cause);
  const text = cause instanceof Error ? cause.message : String(cause);
  return missingError(file, `cannot be read (${text}).`, cause);
}
