import type { DataType, Graph, Model, Node, Tensor } from "./ir.js";

/** Type of a value under concrete input dimensions: all dimensions are numbers. */
export interface ValueType {
  readonly dtype: DataType;
  readonly dims: readonly number[];
}

/** A graph under concrete input dimensions: what each value is, and which are known before the run. */
export interface AnalyzedGraph {
  readonly model: Model;
  readonly graph: Graph;
  /** Opset version of the default domain. */
  readonly opset: number;
  /** Concrete dims of the graph inputs that are not initialisers, by name. */
  readonly inputDims: ReadonlyMap<string, readonly number[]>;
  /** Types of all values that could be told, initialisers included. */
  readonly types: ReadonlyMap<string, ValueType>;
  /** Initialisers, outputs of Constant nodes, and what folds from them (shape arithmetic). */
  readonly constants: ReadonlyMap<string, Tensor>;
  /** Node that makes a value. */
  readonly producerOf: ReadonlyMap<string, Node>;
  /** Nodes that read a value, in order, each once per input slot. */
  readonly consumersOf: ReadonlyMap<string, readonly Node[]>;
}
