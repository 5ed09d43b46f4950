/** From the words on the command line to an exit code. */
import { Command, CommanderError } from "commander";
import { halpVersion } from "../jobs/version.js";
import { addCommand, type CommandSpec, namesOf, plainWidth } from "./command.js";
import { completionCommand } from "./commands/completion.js";
import { demoCommand } from "./commands/demo.js";
import { devicesCommand } from "./commands/devices.js";
import { doctorCommand } from "./commands/doctor.js";
import { evaluateCommand } from "./commands/evaluate.js";
import { exportCommand } from "./commands/export.js";
import { finetuneCommand } from "./commands/finetune.js";
import { importCommand } from "./commands/import.js";
import { inspectCommand } from "./commands/inspect.js";
import { measureCommand } from "./commands/measure.js";
import { profileCommand } from "./commands/profile.js";
import { pruneCommand } from "./commands/prune.js";
import { reportCommand } from "./commands/report.js";
import { solveCommand } from "./commands/solve.js";
import { tableCommands } from "./commands/table.js";
import { workerCommand } from "./commands/worker.js";
import { configSchema } from "./config-schema.js";
import type { CliIo } from "./io.js";
import { makeOption } from "./options.js";
import { renderError } from "./render-error.js";
import { makeStyles } from "./style.js";

/** In the order of the help. */
export const commands: readonly CommandSpec[] = [
  inspectCommand,
  profileCommand,
  pruneCommand,
  finetuneCommand,
  solveCommand,
  measureCommand,
  evaluateCommand,
  reportCommand,
  exportCommand,
  importCommand,
  ...tableCommands,
  workerCommand,
  devicesCommand,
  doctorCommand,
  completionCommand,
  demoCommand,
];

/** Options of all commands that read the config file. */
const configKeys = [...new Set(commands.filter((c) => c.readsConfig).flatMap(namesOf))];

/** The JSON schema of the config file. */
export const schemaOfConfig = () => configSchema(configKeys.map(makeOption));

/**
 * @param args without the two of the node process.
 * @returns 0 done, 1 failed, 2 wrong usage or input, 3 budget infeasible, 4 measured latency missed the budget, 130 interrupted.
 */
export async function runCli(args: readonly string[], io: CliIo): Promise<number> {
  let exitCode = 0;
  let howToGoOn: string | undefined;
  const program = new Command("halp")
    .description("Prunes an ONNX convolutional network to a latency budget, measured on this device.")
    .version(halpVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .exitOverride()
    .showSuggestionAfterError(true)
    .showHelpAfterError("(halp COMMAND --help tells what a command takes)")
    .configureOutput({
      writeOut: io.stdout,
      writeErr: io.stderr,
      getOutHelpWidth: () => io.columns ?? plainWidth,
      getErrHelpWidth: () => io.columns ?? plainWidth,
      getOutHasColors: () => io.color.stdout,
      getErrHasColors: () => io.color.stderr,
    })
    .addHelpText(
      "after",
      "\nExit codes: 0 done, 1 failed, 2 wrong usage or input, 3 budget infeasible, 4 measured latency missed the budget.",
    );
  for (const spec of commands) {
    const onExit = (code: number) => {
      exitCode = code;
    };
    addCommand(program, spec, io, configKeys, onExit, (command) => {
      howToGoOn = command;
    });
  }
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    // commander has already written its message; help and version end with exit code 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (io.bars) io.stderr("\r\u001b[2K");
    const rendered = renderError(error, {
      verbose: args.includes("--verbose"),
      width: io.columns ?? plainWidth,
      styles: makeStyles(io.color.stderr && !args.includes("--no-color")),
      aborted: io.signal.aborted,
      ...(howToGoOn === undefined ? {} : { howToGoOn }),
    });
    io.stderr(`${rendered.text}\n`);
    return rendered.exitCode;
  }
}
