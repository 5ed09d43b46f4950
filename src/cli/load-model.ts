import type { AnalyzedGraph } from "../graph/analysis.js";
import type { OptionValues } from "./options.js";

/**
 * Reads a model and gives its inputs the dims that --input and --batch say.
 * @throws HalpError what src/onnx and src/graph throw: not an ONNX file, truncated, dims left open, ...
 */
export async function loadModel(path: string, options: Pick<OptionValues, "input" | "batch">): Promise<AnalyzedGraph> {
  const [{ readModel, validateModel }, { analyzeGraph }, { findOperator }] = await Promise.all([
    import("../onnx/index.js"),
    import("../graph/infer.js"),
    import("../operators/index.js"),
  ]);
  const model = await readModel(path);
  validateModel(model, { file: path });
  return analyzeGraph(model, findOperator, {
    ...(options.input ? { inputDims: new Map(Object.entries(options.input)) } : {}),
    ...(options.batch === undefined ? {} : { batch: options.batch }),
  });
}
