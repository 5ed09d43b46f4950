import { HalpError } from "../../errors.js";
import type { CommandSpec } from "../command.js";
import { renderCoverage, renderDifference } from "../render-latency-table.js";
import { printable } from "../style.js";

/** Layers that `halp table diff` lists unless all are asked for. */
const listed = 10;

const show: CommandSpec = {
  name: "table show",
  args: [["<TABLE>", "latency table"]],
  summary: "what a latency table holds: its device, layers, widths, samples, spread and alignment",
  options: ["all"],
  examples: ["halp table show table.json", "halp table show table.json --all --json"],
  run: async ([path = ""], options, { print, styles, width }) => {
    const { coverageOf, openTable } = await import("../../latency/index.js");
    const table = openTable(path);
    const coverage = coverageOf(table);
    const entries = [...table.entries].map(([key, { ns, samples }]) => ({ key, ns, samples }));
    entries.sort((a, b) => b.ns - a.ns);
    const layers = options.all === true ? { layers: entries } : {};
    print({ format: "halp.table-summary/1", table: path, device: table.device, ...coverage, ...layers }, () =>
      renderCoverage(table.device, coverage, options.all === true ? entries : [], width, styles),
    );
    return 0;
  },
};

const diff: CommandSpec = {
  name: "table diff",
  args: [
    ["<TABLE>", "latency table"],
    ["<OTHER>", "the table that it is held against"],
  ],
  summary: "how two latency tables differ on the layers that both have",
  options: ["all"],
  examples: ["halp table diff before.json after.json", "halp table diff laptop.json phone.json --all"],
  run: async ([first = "", second = ""], options, { print, styles, width }) => {
    const { compareTables, openTable } = await import("../../latency/index.js");
    const tables = [openTable(first), openTable(second)] as const;
    const difference = compareTables(...tables);
    const layers = options.all === true ? difference.layers : difference.layers.slice(0, listed);
    print({ format: "halp.table-diff/1", tables: [first, second], ...difference, layers }, () =>
      renderDifference([first, second], difference, layers, width, styles),
    );
    return 0;
  },
};

const merge: CommandSpec = {
  name: "table merge",
  args: [["<TABLES...>", "two latency tables of one device, or more"]],
  summary: "unite latency tables of one device",
  options: ["output"],
  required: ["output"],
  examples: ["halp table merge resnet.json detector.json -o device.json"],
  run: async (paths, options, { print, styles }) => {
    if (paths.length < 2)
      throw new HalpError("HALP_TABLE_EMPTY", "There is nothing to unite it with. Give two tables or more.");
    const { mergeTables, openTable, saveTable } = await import("../../latency/index.js");
    const { conflicts, speeds, table } = mergeTables(paths.map(openTable), paths);
    saveTable(table, options.output!);
    const entries = table.entries.size;
    print({ format: "halp.table-merge/1", output: options.output, entries, conflicts, speeds }, () =>
      [
        `${styles.dim("layers    ")}  ${entries}, of which ${conflicts} were in more than one table`,
        ...speeds.flatMap((speed, i) =>
          speed === 1
            ? []
            : `${styles.dim("speed     ")}  the times of ${printable(paths[i] ?? "")} were multiplied by ${speed.toFixed(3)}: the device ran at another speed`,
        ),
        `${styles.dim("written   ")}  ${printable(options.output!)}`,
      ].join("\n"),
    );
    return 0;
  },
};

const importCommand: CommandSpec = {
  name: "table import",
  args: [["<FILE>", "JSON or CSV: keys batch_cin_cout_fmap_k_stride_groups with milliseconds"]],
  summary: "make a latency table of one in the key form of the HALP paper",
  options: ["deviceName", "output"],
  required: ["deviceName", "output"],
  examples: ['halp table import lut.csv --device-name "Jetson Xavier, TensorRT 8" -o xavier.json'],
  run: async ([path = ""], options, { print, styles, warn }) => {
    const { importTable, saveTable } = await import("../../latency/index.js");
    const table = importTable(path, options.deviceName!);
    saveTable(table, options.output!);
    warn(
      "Such keys tell of convolutions alone: without bias, residual and activation, square, padded by half the kernel. All other operators, changes of layout and what a run costs besides count nothing in predictions from this table.",
    );
    const entries = table.entries.size;
    print({ format: "halp.table-import/1", device: options.deviceName, output: options.output, entries }, () =>
      [
        `${styles.dim("device    ")}  ${printable(options.deviceName!)}`,
        `${styles.dim("layers    ")}  ${entries} convolutions`,
        `${styles.dim("written   ")}  ${printable(options.output!)}`,
      ].join("\n"),
    );
    return 0;
  },
};

export const tableCommands: readonly CommandSpec[] = [show, diff, merge, importCommand];
