import type { CommandSpec } from "../command.js";
import { loadModel } from "../load-model.js";
import { renderInspection } from "../render-inspection.js";
import { widthLimits } from "./prune.js";

/** Widths are listed at this multiple of channels: the coarsest step met on CPUs (AVX-512). `halp prune` measures its own. */
const listedAlignment = 16;

export const inspectCommand: CommandSpec = {
  name: "inspect",
  args: [["<MODEL>", "ONNX file"]],
  summary: "list the groups of channels that go together, their options, and what is frozen and why",
  options: ["input", "batch", "freeze", "heads", "headWidth", "minChannels", "maxPruneRatio", "all"],
  readsConfig: true,
  examples: [
    "halp inspect model.onnx",
    "halp inspect detector.onnx --input x=1x3x320x320 --all",
    "halp inspect model.onnx --json | jq '.groups[] | select(.frozen)'",
  ],
  run: async ([path = ""], options, { print, styles, width }) => {
    const [{ analyzeCoupling }, { findOperator }, { inspectModel }] = await Promise.all([
      import("../../coupling/index.js"),
      import("../../operators/index.js"),
      import("../inspect-model.js"),
    ]);
    const analyzed = await loadModel(path, options);
    const coupling = analyzeCoupling(analyzed, findOperator, options);
    const found = inspectModel(path, analyzed, coupling, listedAlignment, widthLimits(options));
    print(found, () => renderInspection(found, width, styles, options.all === true));
    return 0;
  },
};
