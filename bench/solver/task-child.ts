import { bindingShare } from "./tasks/binding-share.js";
import { devicesProofs } from "./tasks/devices-proofs.js";
import { againstEveryChoice } from "./tasks/every-choice.js";
import { frontierPoints } from "./tasks/frontier-points.js";
import { jointProofs } from "./tasks/joint-proofs.js";
import { stronglyCorrelated } from "./tasks/strongly-correlated.js";
import { throughput } from "./tasks/throughput.js";

// A measurement in a process of its own. Started as: task-child.js NAME ARGUMENT-AS-JSON

/** Every task: takes a JSON argument, may tell what it has so far, gives a JSON result. */
export const tasks = {
  bindingShare,
  againstEveryChoice,
  devicesProofs,
  frontierPoints,
  jointProofs,
  stronglyCorrelated,
  throughput,
} as const;

export type TaskName = keyof typeof tasks;

/** What a task sends: how far it is, with what it would answer by now. */
export type TaskMessage =
  | { readonly kind: "so far" | "done"; readonly result: unknown; readonly text: string }
  | { readonly kind: "failed"; readonly error: string };

async function main(): Promise<void> {
  const name = process.argv[2] as TaskName;
  const task = tasks[name] as (argument: unknown, tell: (result: unknown, text: string) => void) => Promise<unknown>;
  const send = (message: TaskMessage): void => {
    process.send!(message);
  };
  try {
    const result = await task(JSON.parse(process.argv[3]!), (sofar, text) =>
      send({ kind: "so far", result: sofar, text }),
    );
    send({ kind: "done", result, text: "" });
  } catch (error) {
    send({ kind: "failed", error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
  process.disconnect();
}

process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit());
if (process.argv[2] !== undefined && process.send !== undefined) await main();
