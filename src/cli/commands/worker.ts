import type { CommandSpec } from "../command.js";
import { given } from "../given.js";
import { printable } from "../style.js";
import { gpuOf } from "./profile.js";

export const workerCommand: CommandSpec = {
  name: "worker",
  args: [],
  summary: "measure, score and evaluate on this machine what runs on others ask for, until Ctrl-C",
  options: ["redis", "name", "dataRoot", "device", "precision", "layout", "cudaLibrary", "cudnnLibrary"],
  required: ["redis"],
  examples: [
    "halp worker --redis redis://build-server:6379 --name pi5",
    "halp worker --redis redis://build-server:6379 --data-root /mnt/images",
    "halp worker --redis redis://build-server:6379 --name gpu-box --device cuda:0 --precision fp16",
  ],
  run: async (_, options, { progress, signal }) => {
    const [{ runWorker }, { parseDevice }] = await Promise.all([
      import("../../jobs/index.js"),
      import("../../latency/index.js"),
    ]);
    await runWorker({
      redis: options.redis!,
      ...given("name", options.name),
      ...given("data", options.dataRoot),
      ...given("device", options.device === undefined ? undefined : parseDevice(options.device)),
      gpu: gpuOf(options),
      signal,
      onReady: (info) =>
        progress.say(
          `${info.name} is ready: ${printable(info.cpu)}, ${info.runtime} (${info.providers.join(", ")})${info.device === "cpu" ? "" : `, timing on ${info.device}`}`,
        ),
      onJob: ({ task, seconds, error }) =>
        progress.say(`${task} ${seconds.toFixed(1)} s${error ? `: ${error.code} ${printable(error.message)}` : ""}`),
    });
    return 0;
  },
};
