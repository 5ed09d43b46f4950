import type { CommandSpec } from "../command.js";
import { printable } from "../style.js";
import { type Column, renderTable } from "../table.js";

const columns: readonly Column[] = [
  { title: "device" },
  { title: "processor", flexible: true },
  { title: "cores", align: "right" },
  { title: "timed on" },
  { title: "runtime" },
  { title: "fingerprint" },
  { title: "load", align: "right" },
  { title: "at" },
  { title: "seen", align: "right" },
];

export const devicesCommand: CommandSpec = {
  name: "devices",
  args: [],
  summary: "the machines whose workers listen to a Redis: what they are, and what they are at",
  options: ["redis"],
  required: ["redis"],
  examples: ["halp devices --redis redis://build-server:6379"],
  run: async (_, options, { print, width, styles }) => {
    const { openFleet } = await import("../../jobs/index.js");
    await using fleet = await openFleet({ redis: options.redis! });
    const devices = await fleet.devices();
    print({ format: "halp.devices/1", devices }, () => {
      if (devices.length === 0) return "no worker is there: start one with halp worker --redis URL --name NAME";
      const rows = devices.map((d) => [
        printable(d.name),
        printable(d.cpu),
        String(d.cores),
        printable(d.device),
        printable(`${d.runtime} (${d.providers.join(", ")})`),
        printable(d.fingerprint),
        d.load.toFixed(2),
        printable(d.task ?? "idle"),
        `${d.silentSeconds.toFixed(0)} s ago`,
      ]);
      return renderTable(columns, rows, width, styles.dim);
    });
    return 0;
  },
};
