/** What a command is: its words for the user, its options, and what it does. */
import { Command, Option } from "commander";
import { HalpError } from "../errors.js";
import { readConfig } from "./config-file.js";
import type { CliIo } from "./io.js";
import { commonOptions, makeOption, type OptionName, type OptionValues } from "./options.js";
import { makeProgress, type ProgressReporter } from "./progress.js";
import { type Invocation, readInvocation } from "./resume.js";
import { makeStyles, type Styles } from "./style.js";

export interface CommandContext {
  readonly io: CliIo;
  readonly progress: ProgressReporter;
  /** For stdout. */
  readonly styles: Styles;
  /** Width for what goes to stdout. */
  readonly width: number;
  readonly signal: AbortSignal;
  readonly warn: (message: string) => void;
  /** The result: the document with --json, else the text. */
  readonly print: (document: object, text: () => string) => void;
  /** The command itself, for run folders. */
  readonly command: Invocation;
}

export interface CommandSpec {
  /** Two words where a command has commands of its own: "table show". */
  readonly name: string;
  /** As commander writes them: "<MODEL>", "[PROBLEM]", "<TABLES...>". */
  readonly args: readonly (readonly [spec: string, description: string])[];
  readonly summary: string;
  readonly options: readonly OptionName[];
  readonly required?: readonly OptionName[];
  /** Whether the config file speaks to it: commands that work on a model. */
  readonly readsConfig?: boolean;
  /** Takes --resume DIR: everything else then comes from the run in that folder, unless it is given anew. */
  readonly resumes?: boolean;
  /**
   * The command that goes on with a run that failed; undefined where nothing was saved.
   * @param begun milliseconds since 1970
   */
  readonly howToGoOn?: (args: readonly string[], options: OptionValues, begun: number) => Promise<string | undefined>;
  readonly examples: readonly string[];
  /** Returns the exit code. Loads the rooms it needs only when called, so that `halp --help` starts at once. */
  readonly run: (args: readonly string[], options: OptionValues, context: CommandContext) => Promise<number>;
}

/** Width of what is written where there is no terminal to fit. */
export const plainWidth = 120;

/**
 * @param configKeys options of all commands that read the config file
 * @param onExit receives the exit code of the command
 * @param onFailure receives how to go on, where it failed and can be gone on with
 */
export function addCommand(
  program: Command,
  spec: CommandSpec,
  io: CliIo,
  configKeys: readonly OptionName[],
  onExit: (code: number) => void,
  onFailure: (howToGoOn: string) => void,
): void {
  const command = commandNamed(program, spec.name).description(spec.summary);
  for (const [arg, description] of spec.args) command.argument(arg, description);
  for (const name of namesOf(spec)) command.addOption(makeOption(name));
  command.addOption(new Option("--no-color", "no colours"));
  command.addHelpText("after", `\nExamples:\n${spec.examples.map((e) => `  $ ${e}`).join("\n")}`);
  command.action(async (...received: unknown[]) => {
    // One that may be repeated comes as a list.
    const args = received
      .slice(0, spec.args.length)
      .flatMap((a) => (Array.isArray(a) ? a : typeof a === "string" ? a : ""));
    const given = received[spec.args.length] as Readonly<Record<string, unknown>>;
    const config = spec.readsConfig
      ? readConfig(given.config as string | undefined, configKeys.map(makeOption), namesOf(spec).map(makeOption))
      : {};
    const now = optionValues(spec, { ...config, ...given });
    const { resume: runFolder } = spec.resumes ? now : {};
    const before = runFolder === undefined ? undefined : readInvocation(spec.name, runFolder, process.cwd());
    const options: OptionValues =
      before && runFolder !== undefined ? { ...before.options, ...stated(now), run: runFolder } : now;
    const allArgs = args.map((arg, i) => (arg === "" ? (before?.args[i] ?? "") : arg));
    if (spec.resumes && allArgs[0] === "")
      throw new HalpError(
        "HALP_ARGUMENT_MISSING",
        `halp ${spec.name} needs ${spec.args[0]?.[0]}, or a run to go on with by --resume. For example: ${spec.examples[0]}`,
      );
    // commander's own check would come before the one for unknown flags, and hide a mistyped one.
    for (const name of spec.required ?? []) {
      if (options[name] === undefined)
        throw new HalpError(
          "HALP_OPTION_MISSING",
          `halp ${spec.name} needs ${makeOption(name).flags}. For example: ${spec.examples[0]}`,
        );
    }
    // A URL of Redis may hold a password: it stays out of run folders.
    const { resume: _, redis: _url, ...lasting } = options;
    const command = { name: spec.name, args: allArgs, options: lasting, folder: process.cwd() };
    const context = makeContext(io, options, command);
    const begun = Date.now();
    try {
      onExit(await spec.run(allArgs, options, context));
    } catch (error) {
      // Of an infeasible or a missed budget more of the same makes nothing better.
      const final = error instanceof HalpError && error.exitCode > 2;
      const hint = final ? undefined : await spec.howToGoOn?.(allArgs, options, begun);
      if (hint !== undefined) onFailure(hint);
      throw error;
    }
  });
}

/**
 * What words on the command line ask of a command, without doing it.
 * @throws CommanderError, HalpError as the command itself would
 */
export function invocationOf(spec: CommandSpec, words: readonly string[]): Invocation {
  const command = new Command(spec.name).exitOverride();
  for (const [arg, description] of spec.args) command.argument(arg, description);
  for (const name of namesOf(spec)) command.addOption(makeOption(name));
  command.parse(words, { from: "user" });
  return {
    name: spec.name,
    args: command.args,
    options: stated(optionValues(spec, command.opts())),
    folder: process.cwd(),
  };
}

/** Adds a command, under a command of its own where the name has two words. */
function commandNamed(program: Command, name: string): Command {
  const [first = "", second] = name.split(" ");
  if (second === undefined) return program.command(first);
  const known = program.commands.find((c) => c.name() === first);
  const parent = known ?? program.command(first).description(groups[first] ?? "");
  return parent.command(second);
}

/** What commands with commands of their own do, for the help. */
const groups: Readonly<Record<string, string>> = {
  table: "show, compare, unite and import latency tables",
};

/** Options of a command, those that all have included. */
export function namesOf(spec: CommandSpec): readonly OptionName[] {
  return [...spec.options, ...(spec.readsConfig ? (["config"] as const) : []), ...commonOptions];
}

/** From commander's names (after the flag) to those of the table: a flag may mean different things in two commands. */
function optionValues(spec: CommandSpec, given: Readonly<Record<string, unknown>>): OptionValues {
  const entries = namesOf(spec).map((name) => [name, given[makeOption(name).attributeName()]]);
  return { ...Object.fromEntries(entries), color: given.color };
}

/** Those that have a value. */
function stated(options: OptionValues): OptionValues {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function makeContext(io: CliIo, options: OptionValues, command: Invocation): CommandContext {
  const progress = makeProgress(io, { quiet: options.quiet === true });
  const styles = makeStyles(io.color.stdout && options.color !== false);
  const errorStyles = makeStyles(io.color.stderr && options.color !== false);
  return {
    io,
    command,
    progress,
    styles,
    width: io.columns ?? plainWidth,
    signal: io.signal,
    warn: (message) => progress.say(`${errorStyles.yellow("warning")} ${message}`),
    print: (document, text) => {
      progress.end();
      io.stdout(`${options.json === true ? JSON.stringify(document) : text()}\n`);
    },
  };
}
