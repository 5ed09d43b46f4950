/** Where an error belongs: shown to the user beside the message. */
export interface HalpErrorFields {
  readonly node?: string;
  readonly opType?: string;
  readonly file?: string;
  /** Name of a tensor, variable, factor, option or group the message speaks of. */
  readonly name?: string;
  /** Process exit code: 1 failed, 2 wrong usage or input, 3 budget infeasible, 4 measured latency missed the budget. */
  readonly exitCode?: number;
  readonly cause?: unknown;
}

/** An error without its stack: what crosses from one process or thread to another. */
export type PlainError = Pick<HalpError, "code" | "message" | "exitCode"> &
  Pick<HalpErrorFields, "node" | "opType" | "file">;

export function plainError({ code, message, exitCode, node, opType, file }: HalpError): PlainError {
  return {
    code,
    message,
    exitCode,
    ...(node === undefined ? {} : { node }),
    ...(opType === undefined ? {} : { opType }),
    ...(file === undefined ? {} : { file }),
  };
}

/**
 * The one error class of halp. `code` is stable (`HALP_INFEASIBLE_BUDGET`) and may be relied on; the message says what
 * was expected, what came, and what to do.
 */
export class HalpError extends Error {
  readonly code: string;
  readonly exitCode: number;
  readonly node: string | undefined;
  readonly opType: string | undefined;
  readonly file: string | undefined;

  constructor(code: string, message: string, fields: HalpErrorFields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = "HalpError";
    this.code = code;
    this.exitCode = fields.exitCode ?? 2;
    this.node = fields.node;
    this.opType = fields.opType;
    this.file = fields.file;
  }
}

/** The end of a sentence that names what is not there: `; did you mean "x"?` with the nearest of the names that are, or `.`. */
export function didYouMean(name: string, names: Iterable<string>): string {
  let best: string | undefined;
  let least = Math.max(2, name.length / 3) + 1;
  for (const candidate of names) {
    const d = distance(name.toLowerCase(), candidate.toLowerCase());
    if (d < least) {
      least = d;
      best = candidate;
    }
  }
  return best === undefined ? "." : `; did you mean "${best}"?`;
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length]!;
}
