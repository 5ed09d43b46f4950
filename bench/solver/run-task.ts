import { fork } from "node:child_process";
import type { Stop } from "./stop.js";
import type { TaskMessage, TaskName, tasks } from "./task-child.js";

type Argument<N extends TaskName> = Parameters<(typeof tasks)[N]>[0];
type Result<N extends TaskName> = Awaited<ReturnType<(typeof tasks)[N]>>;

/** A task's result, or what it had when it was stopped. */
export interface TaskEnd<R> {
  readonly result: R | null;
  /** Null if it ran to its end; else why not. */
  readonly cut: string | null;
}

/** Runs a task in a process of its own. */
export function runTask<N extends TaskName>(
  name: N,
  argument: Argument<N>,
  stop: Stop,
  tell: (text: string) => void,
): Promise<TaskEnd<Result<N>>> {
  return new Promise((resolve) => {
    const child = fork(new URL("./task-child.js", import.meta.url), [name, JSON.stringify(argument)]);
    let latest: Result<N> | null = null;
    const end = (cut: string | null): void => {
      forget();
      child.removeAllListeners();
      child.kill("SIGKILL");
      resolve({ result: latest, cut });
    };
    const forget = stop.onStop(() => end("interrupted"));
    child.on("message", (message: TaskMessage) => {
      if (message.kind === "failed") {
        end(message.error);
        return;
      }
      latest = message.result as Result<N>;
      if (message.kind === "done") end(null);
      else tell(message.text);
    });
    child.on("exit", (code, signal) => end(`its process ended (${signal ?? code})`));
    if (stop.stopped) end("interrupted");
  });
}
