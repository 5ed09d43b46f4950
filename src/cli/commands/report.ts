import type { CommandSpec } from "../command.js";
import { renderPruneResult } from "../render-prune-result.js";
import { renderPrediction } from "../render-report.js";
import { wrap } from "../table.js";

/** Layers listed of each network unless all are asked for. */
const listed = 8;

export const reportCommand: CommandSpec = {
  name: "report",
  args: [["<DIR>", "run folder of halp prune"]],
  summary: "what came of a run, and which layers its prediction failed on",
  options: ["all", "html"],
  examples: [
    "halp report .halp/runs/model",
    "halp report .halp/runs/model --all --json",
    "halp report .halp/runs/model --html model.html",
  ],
  run: async ([folder = ""], options, { print, styles, width }) => {
    const { readRun, worstLayers, writePage } = await import("../../report/index.js");
    const run = readRun(folder);
    const { result, layers } = run;
    if (options.html !== undefined) await writePage(run, options.html);
    const most = options.all === true ? Number.POSITIVE_INFINITY : listed;
    const dense = layers === null ? null : worstLayers(layers.dense, most);
    const pruned = layers === null ? null : worstLayers(layers.pruned, most);
    print({ format: "halp.report/1", run: folder, result, layers: layers === null ? null : { dense, pruned } }, () =>
      [
        renderPruneResult(result, width, styles, options.html),
        ...result.warnings.map((w) => wrap(`warning: ${w}`, width)),
        ...(dense && pruned
          ? [
              renderPrediction("the network as it was", dense, width, styles),
              renderPrediction("the pruned network", pruned, width, styles),
            ]
          : ["The run kept no times of its layers."]),
      ].join("\n\n"),
    );
    return 0;
  },
};
