import type { CommandSpec } from "../command.js";
import { given } from "../given.js";
import { printable } from "../style.js";

export const workerCommand: CommandSpec = {
  name: "worker",
  args: [],
  summary: "measure, score and evaluate on this machine what runs on others ask for, until Ctrl-C",
  options: ["redis", "name", "dataRoot"],
  required: ["redis"],
  examples: [
    "halp worker --redis redis://build-server:6379 --name pi5",
    "halp worker --redis redis://build-server:6379 --data-root /mnt/images",
  ],
  run: async (_, options, { progress, signal }) => {
    const { runWorker } = await import("../../jobs/index.js");
    await runWorker({
      redis: options.redis!,
      ...given("name", options.name),
      ...given("data", options.dataRoot),
      signal,
      onReady: (info) => progress.say(`${info.name} is ready: ${printable(info.cpu)}, ${info.runtime}`),
      onJob: ({ task, seconds, error }) =>
        progress.say(`${task} ${seconds.toFixed(1)} s${error ? `: ${error.code} ${printable(error.message)}` : ""}`),
    });
    return 0;
  },
};
