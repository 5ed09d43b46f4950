/**
 * The intermediate representation: an ONNX model as readonly data. It knows no protobuf; `src/onnx` reads and writes it.
 *
 * Nothing is edited in place. What changes is made anew (`{ ...node, inputs }`) and shares all else with the old, so a
 * rewriting costs what it changes. Fields that halp does not understand travel in `extra`, opaque, so nothing is lost.
 */

/** ONNX TensorProto.DataType, by name. `other` kinds are kept by number in {@link Tensor.dtypeCode}. */
export type DataType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "bool"
  | "string"
  | "other";

/** Field bytes that halp does not understand, kept as they came (a sequence of protobuf fields). */
export type Extra = Uint8Array;

export interface StringEntry {
  readonly key: string;
  readonly value: string;
}

/** Where the bytes of a tensor lie when they are not in the model file. */
export interface ExternalData {
  readonly entries: readonly StringEntry[];
}

/**
 * A constant tensor. `bytes` are the elements, little-endian, row-major, packed as ONNX `raw_data` packs them; a view
 * on the model file (or on the external file) wherever the source was raw. String tensors have `strings` instead.
 */
export interface Tensor {
  readonly name: string;
  readonly dtype: DataType;
  /** Number of the type in ONNX; says what `other` stands for (float8, int4, ...). */
  readonly dtypeCode: number;
  readonly dims: readonly number[];
  readonly bytes: Uint8Array;
  readonly strings?: readonly Uint8Array[];
  /** How the source stored the elements, so that an unedited tensor is written the same way. New tensors: "raw". */
  readonly storage: "raw" | "typed" | "external";
  readonly external?: ExternalData;
  readonly docString?: string;
  readonly extra?: Extra;
}

/** A dimension: a number, a name ("batch"), or null where nothing is known. */
export type Dim = number | string | null;

/** Name and type of a graph input, output or inner value. */
export interface ValueInfo {
  readonly name: string;
  /** Tensor element type; undefined for sequences, maps, optionals (kept in `typeExtra`). */
  readonly dtype?: DataType;
  readonly dtypeCode?: number;
  /** Undefined: rank unknown. */
  readonly dims?: readonly Dim[];
  readonly docString?: string;
  readonly extra?: Extra;
  /** The TypeProto as it came, where `dtypeCode` and `dims` do not tell all of it (sequences, denotations). Opaque. */
  readonly typeExtra?: Extra;
}

/** An attribute of a node. Integers are bigint: exact over the whole int64 range (INT64_MAX is a common "to the end"). */
export type Attribute =
  | { readonly kind: "int"; readonly value: bigint; readonly meta?: AttributeMeta }
  | { readonly kind: "ints"; readonly value: readonly bigint[]; readonly meta?: AttributeMeta }
  | { readonly kind: "float"; readonly value: number; readonly meta?: AttributeMeta }
  | { readonly kind: "floats"; readonly value: readonly number[]; readonly meta?: AttributeMeta }
  | { readonly kind: "string"; readonly value: Uint8Array; readonly meta?: AttributeMeta }
  | { readonly kind: "strings"; readonly value: readonly Uint8Array[]; readonly meta?: AttributeMeta }
  | { readonly kind: "tensor"; readonly value: Tensor; readonly meta?: AttributeMeta }
  | { readonly kind: "graph"; readonly value: Graph; readonly meta?: AttributeMeta }
  | { readonly kind: "graphs"; readonly value: readonly Graph[]; readonly meta?: AttributeMeta }
  /** Anything else (sparse tensors, type protos, lists of tensors, references): the whole AttributeProto as it came. */
  | { readonly kind: "opaque"; readonly value: Uint8Array; readonly meta?: AttributeMeta };

export interface AttributeMeta {
  readonly docString?: string;
  readonly extra?: Extra;
}

export interface Node {
  /** May be empty or repeated in a file; use the node's first output to identify it. */
  readonly name: string;
  readonly opType: string;
  /** "" is the default ONNX domain ("ai.onnx" is read as it stands, see {@link normalDomain}). */
  readonly domain: string;
  /** Names of values; "" is an optional input left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
  readonly docString?: string;
  readonly extra?: Extra;
}

export interface Graph {
  readonly name: string;
  /** Topologically sorted, as ONNX demands. */
  readonly nodes: readonly Node[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly valueInfos: readonly ValueInfo[];
  readonly initializers: readonly Tensor[];
  readonly docString?: string;
  /** Sparse initialisers, quantisation annotations, metadata, unknown fields. */
  readonly extra?: Extra;
}

export interface OpsetImport {
  readonly domain: string;
  readonly version: number;
  readonly extra?: Extra;
}

export interface Model {
  readonly irVersion: number;
  readonly opsets: readonly OpsetImport[];
  readonly producerName?: string;
  readonly producerVersion?: string;
  readonly domain?: string;
  readonly modelVersion?: bigint;
  readonly docString?: string;
  readonly metadata: readonly StringEntry[];
  readonly graph: Graph;
  /** Functions, training info and unknown fields. */
  readonly extra?: Extra;
}

/** The default domain has two spellings. */
export function normalDomain(domain: string): string {
  return domain === "ai.onnx" ? "" : domain;
}

/** Version of the default ONNX domain that the model imports; 1 where it says nothing. */
export function opsetOf(model: Model): number {
  return model.opsets.find((o) => normalDomain(o.domain) === "")?.version ?? 1;
}
