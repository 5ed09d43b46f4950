/** Problems out of a file or stdin: one JSON document, or one on every line, read as they come. */
import { HalpError } from "../errors.js";
import type { Problem } from "../solver/index.js";

/** A problem of the input. */
export interface ReadProblem {
  readonly problem: Problem;
  /** The line it stands on, from 1; absent where the input is one document. */
  readonly line?: number;
}

/**
 * Reads problems one after the other; the next is read once it is asked for.
 * @param text the input, in parts of any size
 * @param lines whether every line is a problem; if not, that is so where the first line is a whole JSON text and another
 * follows (so the first problem comes once the second has begun, or the input has ended)
 * @throws HalpError as parseProblem; it tells the line
 */
export async function* readProblems(text: AsyncIterable<string>, lines: boolean): AsyncGenerator<ReadProblem> {
  const { parseProblem } = await import("../solver/index.js");
  const parse = (json: string, line: number): ReadProblem => {
    try {
      return { problem: parseProblem(json), line };
    } catch (error) {
      if (!(error instanceof HalpError)) throw error;
      throw new HalpError(error.code, `line ${line}: ${error.message}`, { exitCode: error.exitCode, cause: error });
    }
  };
  let mode: "unknown" | "lines" | "document" = lines ? "lines" : "unknown";
  let first: { readonly text: string; readonly line: number } | undefined;
  const document: string[] = [];
  for await (const { text: row, line } of linesOf(text)) {
    if (mode === "document") document.push(row);
    else if (row.trim() === "") continue;
    else if (mode === "lines") yield parse(row, line);
    else if (first !== undefined) {
      mode = "lines";
      yield parse(first.text, first.line);
      yield parse(row, line);
    } else if (isJson(row)) first = { text: row, line };
    else {
      mode = "document";
      document.push(row);
    }
  }
  // an input without anything is a document that lacks all
  if (mode === "unknown" || mode === "document") yield { problem: parseProblem(first?.text ?? document.join("\n")) };
}

/** Lines without their ends, numbered from 1. */
async function* linesOf(text: AsyncIterable<string>): AsyncGenerator<{ readonly text: string; readonly line: number }> {
  let line = 0;
  // parts of a line that has not ended: joined once, as a long line may come in thousands
  let parts: string[] = [];
  for await (const chunk of text) {
    let from = 0;
    for (let end = chunk.indexOf("\n"); end >= 0; end = chunk.indexOf("\n", from)) {
      parts.push(chunk.slice(from, end));
      yield { text: parts.join(""), line: ++line };
      parts = [];
      from = end + 1;
    }
    if (from < chunk.length) parts.push(chunk.slice(from));
  }
  if (parts.length > 0) yield { text: parts.join(""), line: line + 1 };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
