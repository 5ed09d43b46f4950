/** Runs that go on: the command that began one lies in its folder. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { HalpError } from "../errors.js";
import { parseJson } from "../json.js";
import type { OptionValues } from "./options.js";

/** What was asked for, as it can be asked for again. */
export interface Invocation {
  readonly name: string;
  readonly args: readonly string[];
  readonly options: OptionValues;
  /** Paths among the options are relative to it. */
  readonly folder: string;
}

/** @throws HalpError HALP_RESUME where the folder holds no run of this command, or it was begun elsewhere */
export function readInvocation(name: string, runFolder: string, folder: string): Invocation {
  const path = join(runFolder, "config.json");
  let found: Partial<Invocation> | undefined;
  try {
    found = (parseJson(readFileSync(path, "utf8")) as { command?: Partial<Invocation> }).command;
  } catch (cause) {
    throw new HalpError("HALP_RESUME", `There is no run in ${runFolder}: ${(cause as Error).message}.`, {
      file: path,
      cause,
    });
  }
  if (found?.name !== name || !found.args || !found.options)
    throw new HalpError(
      "HALP_RESUME",
      `The run in ${runFolder} was begun by ${found?.name ? `halp ${found.name}` : "something else"}, not by halp ${name}.`,
      { file: path },
    );
  if (found.folder !== folder)
    throw new HalpError(
      "HALP_RESUME",
      `The run in ${runFolder} was begun in ${found.folder}, and its paths are relative to that. Go there and resume it.`,
      { file: path },
    );
  return found as Invocation;
}

/**
 * The command that goes on with a run, where one can be gone on with.
 * @param since milliseconds since 1970: what was saved before is of another run
 */
export async function resumption(name: string, runFolder: string, since: number): Promise<string | undefined> {
  const { canResume } = await import("../pipeline/index.js");
  if (!(await canResume(runFolder, since))) return undefined;
  return commandLine(name, ["--resume", runFolder]);
}

/** A command as it can be pasted into a shell. */
export function commandLine(name: string, words: readonly string[]): string {
  return ["halp", name, ...words.map(quoted)].join(" ");
}

function quoted(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
