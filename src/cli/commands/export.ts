import { basename, join } from "node:path";
import type { ExportedRun } from "../../exchange/index.js";
import type { CommandSpec } from "../command.js";
import { printable, type Styles } from "../style.js";
import { renderTable } from "../table.js";

export const exportCommand: CommandSpec = {
  name: "export",
  args: [["<DIR>", "run folder of halp prune"]],
  summary: "what a run kept of every tensor, as JSON, to prune the same network elsewhere (PyTorch)",
  options: ["output"],
  examples: ["halp export .halp/runs/model -o plan.json", "halp export .halp/runs/model --json"],
  run: async ([folder = ""], options, { print, styles, width }) => {
    const [{ exportRun }, { checkWritable, writeText }] = await Promise.all([
      import("../../exchange/index.js"),
      import("../../pipeline/files.js"),
    ]);
    const output = options.output ?? join(folder, "export.json");
    await checkWritable(output);
    const exported = await exportRun(folder);
    await writeText(output, `${JSON.stringify(exported)}\n`);
    print(exported, () => `${renderLayers(exported, width, styles)}\n\nwritten     ${output}`);
    return 0;
  },
};

function renderLayers({ layers, tensors, original }: ExportedRun, width: number, styles: Styles): string {
  const rows = layers.flatMap(({ name, opType, tensors: [weight = ""], removed }) => {
    const { shape, prunedShape } = tensors[weight] ?? { shape: [], prunedShape: null };
    if (prunedShape?.join() === shape.join()) return [];
    return [
      [
        printable(name),
        opType,
        printable(weight),
        shape.join("x"),
        removed ? "removed" : (prunedShape?.join("x") ?? "removed"),
      ],
    ];
  });
  const columns = [
    { title: `layers of ${printable(basename(original.file))} that changed`, flexible: true },
    { title: "operator" },
    { title: "weight", flexible: true },
    { title: "was", align: "right" as const },
    { title: "is", align: "right" as const },
  ];
  return renderTable(columns, rows, width, styles.bold);
}
