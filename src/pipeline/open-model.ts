import type { AnalyzedGraph } from "../graph/analysis.js";
import { analyzeGraph } from "../graph/infer.js";
import { readModel, validateModel } from "../onnx/index.js";
import { findOperator } from "../operators/index.js";

export interface ModelOptions {
  /** Path of the ONNX file. */
  readonly model: string;
  /** Dims of inputs with dynamic dimensions, by name. */
  readonly inputs?: Readonly<Record<string, readonly number[]>>;
  readonly batch?: number;
}

/**
 * Reads a model and knows its shapes.
 * @throws HalpError what src/onnx and src/graph refuse: no ONNX file, truncated, values missing, dims left open
 */
export async function openModel({ model, inputs, batch }: ModelOptions): Promise<AnalyzedGraph> {
  const read = await readModel(model);
  validateModel(read, { file: model });
  return analyzeGraph(read, findOperator, { ...(inputs ? { inputs } : {}), ...(batch === undefined ? {} : { batch }) });
}
