#!/usr/bin/env node
import { processIo } from "./io.js";
import { interruptedExitCode } from "./render-error.js";
import { runCli } from "./run-cli.js";

// `halp inspect model.onnx | head` closes the pipe early; that is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

// The first Ctrl-C asks what is running to stop and to clean up; the second does not wait.
const interrupt = new AbortController();
const onInterrupt = () => {
  if (interrupt.signal.aborted) process.exit(interruptedExitCode);
  interrupt.abort(new Error("interrupted"));
};
process.on("SIGINT", onInterrupt);
process.on("SIGTERM", onInterrupt);

process.exitCode = await runCli(process.argv.slice(2), processIo(interrupt.signal));
