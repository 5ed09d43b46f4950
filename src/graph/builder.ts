/** Building graphs node by node: for training graphs, measuring banks, masks and tests. */
import type { Attribute, DataType, Graph, Model, Node, Tensor, ValueInfo } from "./ir.js";
import { dataTypeCode, float32Tensor, int64Tensor } from "./tensors.js";

export interface NodeOptions {
  readonly name?: string;
  readonly domain?: string;
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** Names of the outputs; or a count, and they get new names. Default: one. */
  readonly outputs?: readonly string[] | number;
}

/** Owns names: every value it makes has a name that nothing else in the graph has. */
export class GraphBuilder {
  readonly #nodes: Node[] = [];
  readonly #inputs: ValueInfo[] = [];
  readonly #outputs: ValueInfo[] = [];
  readonly #initializers = new Map<string, Tensor>();
  readonly #taken = new Set<string>();
  readonly #constants = new Map<string, string>();
  readonly #sharedNodes = new Map<string, string>();
  #counter = 0;

  /** @param taken names that are in use elsewhere (a graph that this one will be joined to). */
  constructor(taken: Iterable<string> = []) {
    for (const name of taken) this.#taken.add(name);
  }

  freshName(hint: string): string {
    if (!this.#taken.has(hint)) {
      this.#taken.add(hint);
      return hint;
    }
    for (;;) {
      const name = `${hint}_${this.#counter++}`;
      if (!this.#taken.has(name)) {
        this.#taken.add(name);
        return name;
      }
    }
  }

  input(
    name: string,
    dims: readonly (number | string | null)[],
    dtype: Exclude<DataType, "other"> = "float32",
  ): string {
    this.#taken.add(name);
    this.#inputs.push({ name, dtype, dtypeCode: dataTypeCode[dtype], dims });
    return name;
  }
  output(
    name: string,
    dims?: readonly (number | string | null)[],
    dtype: Exclude<DataType, "other"> = "float32",
  ): void {
    this.#outputs.push(
      dims ? { name, dtype, dtypeCode: dataTypeCode[dtype], dims } : { name, dtype, dtypeCode: dataTypeCode[dtype] },
    );
  }
  initializer(tensor: Tensor): string {
    this.#taken.add(tensor.name);
    this.#initializers.set(tensor.name, tensor);
    return tensor.name;
  }
  /** A small int64 constant, shared between equal uses. */
  int64(values: readonly number[], dims: readonly number[] = [values.length]): string {
    return this.#shared(`i64:${dims.join("x")}:${values.join(",")}`, (n) => int64Tensor(n, dims, values), "i64");
  }
  /** A float32 constant, shared between equal uses; scalar unless dims are given. */
  float32(
    values: number | readonly number[],
    dims: readonly number[] = typeof values === "number" ? [] : [values.length],
  ): string {
    const list = typeof values === "number" ? [values] : values;
    return this.#shared(`f32:${dims.join("x")}:${list.join(",")}`, (n) => float32Tensor(n, dims, list), "f32");
  }
  #shared(key: string, make: (name: string) => Tensor, hint: string): string {
    let name = this.#constants.get(key);
    if (name === undefined) {
      name = this.initializer(make(this.freshName(hint)));
      this.#constants.set(key, name);
    }
    return name;
  }

  /** Adds a node and returns the names of its outputs. */
  nodes(opType: string, inputs: readonly string[], options: NodeOptions = {}): readonly string[] {
    const wanted = options.outputs ?? 1;
    const outputs =
      typeof wanted === "number" ? Array.from({ length: wanted }, () => this.freshName(`${opType}_out`)) : wanted;
    for (const o of outputs) this.#taken.add(o);
    this.#nodes.push({
      name: options.name ?? "",
      opType,
      domain: options.domain ?? "",
      inputs,
      outputs,
      attributes: new Map(Object.entries(options.attributes ?? {})),
    });
    return outputs;
  }
  /** Adds a node with one output and returns its name. */
  node(
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    options: Omit<NodeOptions, "attributes"> = {},
  ): string {
    return this.nodes(opType, inputs, { ...options, attributes })[0] ?? "";
  }
  /** The same for a node without attributes that equal uses share: of its own operators the runtime does not know that they may. */
  sharedNode(opType: string, input: string, domain: string): string {
    const key = `${domain}:${opType}:${input}`;
    let output = this.#sharedNodes.get(key);
    if (output === undefined) {
      output = this.node(opType, [input], {}, { domain });
      this.#sharedNodes.set(key, output);
    }
    return output;
  }
  /** Adds a node as it is. */
  add(node: Node): void {
    for (const o of node.outputs) this.#taken.add(o);
    this.#nodes.push(node);
  }

  graph(name = "halp"): Graph {
    return {
      name,
      nodes: [...this.#nodes],
      inputs: [...this.#inputs],
      outputs: [...this.#outputs],
      valueInfos: [],
      initializers: [...this.#initializers.values()],
    };
  }
  model(options: { name?: string; opset?: number; irVersion?: number; contrib?: boolean } = {}): Model {
    return {
      irVersion: options.irVersion ?? 8,
      opsets: [
        { domain: "", version: options.opset ?? 18 },
        ...(options.contrib ? [{ domain: "com.microsoft", version: 1 }] : []),
      ],
      producerName: "halp",
      metadata: [],
      graph: this.graph(options.name),
    };
  }
}
