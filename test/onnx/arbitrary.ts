/** Arbitrary models: any shape that the IR can take, meaningful or not. */
import fc from "fast-check";
import type { Attribute, Graph, Model, Node, OpsetImport, Tensor, ValueInfo } from "../../src/graph/ir.js";
import { dataTypeOf } from "../../src/graph/tensors.js";
import { message } from "./support.js";

const name = fc.oneof(fc.string({ maxLength: 6 }), fc.string({ unit: "binary", maxLength: 6 }));
const bytes = fc.uint8Array({ maxLength: 12 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const float = fc.float({ noNaN: true });
/** Fields of numbers that no version of ONNX has. */
const extra = fc
  .array(fc.tuple(fc.integer({ min: 60, max: 5000 }), fc.oneof(fc.nat(), fc.string())), { minLength: 1, maxLength: 3 })
  .map((fields) => message(...fields.sort((a, b) => a[0] - b[0])));
const entry = fc.record({ key: name, value: name });

/** A record of which some keys may be left out. */
function partly<T extends object, O extends object>(
  always: { [K in keyof T]: fc.Arbitrary<T[K]> },
  sometimes: { [K in keyof O]: fc.Arbitrary<O[K]> },
): fc.Arbitrary<T & Partial<O>> {
  return fc
    .tuple(fc.record(always), fc.record(sometimes, { requiredKeys: [] }))
    .map(([a, b]) => ({ ...a, ...b }) as T & Partial<O>);
}

const widths = {
  1: 4,
  2: 1,
  3: 1,
  4: 2,
  5: 2,
  6: 4,
  7: 8,
  9: 1,
  10: 2,
  11: 8,
  12: 4,
  13: 8,
  15: 16,
  16: 2,
  17: 1,
  22: 1,
};
const numeric = fc
  .tuple(fc.constantFrom(...Object.entries(widths)), fc.nat(5), fc.constantFrom("raw", "typed", "external"))
  .chain(([[code, width], count, storage]) =>
    partly<Tensor, Pick<Tensor, "docString" | "extra">>(
      {
        name,
        dtypeCode: fc.constant(Number(code)),
        dtype: fc.constant(dataTypeOf(Number(code))),
        dims: fc.array(fc.nat(), { maxLength: 4 }),
        storage: fc.constant(storage as Tensor["storage"]),
        bytes:
          storage === "external"
            ? fc.constant(new Uint8Array(0))
            : fc.uint8Array({ minLength: width * count, maxLength: width * count }),
        ...(storage === "external" ? { external: fc.record({ entries: fc.array(entry, { maxLength: 3 }) }) } : {}),
      } as { [K in keyof Tensor]: fc.Arbitrary<Tensor[K]> },
      { docString: name as fc.Arbitrary<string | undefined>, extra: extra as fc.Arbitrary<Uint8Array | undefined> },
    ),
  );
const strings: fc.Arbitrary<Tensor> = fc.record({
  name,
  dtype: fc.constant("string" as const),
  dtypeCode: fc.constant(8),
  dims: fc.array(fc.nat(), { maxLength: 2 }),
  bytes: fc.constant(new Uint8Array(0)),
  strings: fc.array(bytes, { maxLength: 3 }),
  storage: fc.constant("typed" as const),
});
const tensor: fc.Arbitrary<Tensor> = fc.oneof({ weight: 4, arbitrary: numeric }, strings);

const dim = fc.oneof(fc.nat(), fc.string({ minLength: 1, maxLength: 4 }), fc.constant(null));
const value = fc
  .tuple(
    partly<Pick<ValueInfo, "name">, Pick<ValueInfo, "dims" | "docString" | "extra">>({ name }, {
      dims: fc.array(dim, { maxLength: 4 }),
      docString: name,
      extra,
    } as never),
    fc.option(fc.constantFrom(1, 7, 8, 10, 17)),
  )
  .map(([v, code]): ValueInfo => (code === null ? v : { ...v, dtypeCode: code, dtype: dataTypeOf(code) }));

interface Recursive {
  graph: Graph;
  node: Node;
  attribute: Attribute;
}
const { graph } = fc.letrec<Recursive>((tie) => ({
  attribute: fc
    .tuple(
      fc.oneof(
        { depthSize: "small" },
        fc.record({ kind: fc.constant("int" as const), value: int64 }),
        fc.record({ kind: fc.constant("ints" as const), value: fc.array(int64, { maxLength: 4 }) }),
        fc.record({ kind: fc.constant("float" as const), value: float }),
        fc.record({ kind: fc.constant("floats" as const), value: fc.array(float, { maxLength: 4 }) }),
        fc.record({ kind: fc.constant("string" as const), value: bytes }),
        fc.record({ kind: fc.constant("strings" as const), value: fc.array(bytes, { maxLength: 3 }) }),
        fc.record({ kind: fc.constant("tensor" as const), value: tensor }),
        fc.record({ kind: fc.constant("graph" as const), value: tie("graph") }),
        fc.record({ kind: fc.constant("graphs" as const), value: fc.array(tie("graph"), { maxLength: 2 }) }),
      ),
      fc.option(fc.oneof(fc.record({ docString: name }), fc.record({ extra }), fc.record({ docString: name, extra }))),
    )
    .map(([a, meta]) => (meta ? { ...a, meta } : a) as Attribute),
  node: partly<Node, Pick<Node, "docString" | "extra">>(
    {
      name,
      opType: name,
      domain: name,
      inputs: fc.array(name, { maxLength: 3 }),
      outputs: fc.array(name, { maxLength: 2 }),
      attributes: fc.array(fc.tuple(name, tie("attribute")), { maxLength: 3 }).map((a) => new Map(a)),
    } as never,
    { docString: name, extra } as never,
  ),
  graph: partly<Graph, Pick<Graph, "docString" | "extra">>(
    {
      name,
      nodes: fc.array(tie("node"), { maxLength: 3 }),
      inputs: fc.array(value, { maxLength: 2 }),
      outputs: fc.array(value, { maxLength: 2 }),
      valueInfos: fc.array(value, { maxLength: 2 }),
      initializers: fc.array(tensor, { maxLength: 3 }),
    } as never,
    { docString: name, extra } as never,
  ),
}));

const opset: fc.Arbitrary<OpsetImport> = partly<OpsetImport, Pick<OpsetImport, "extra">>(
  { domain: name, version: fc.integer({ min: 1, max: 30 }) } as never,
  { extra } as never,
);

export const arbitraryModel: fc.Arbitrary<Model> = partly<
  Model,
  Omit<Model, "irVersion" | "opsets" | "metadata" | "graph">
>(
  {
    irVersion: fc.integer({ min: 1, max: 14 }),
    opsets: fc.array(opset, { minLength: 1, maxLength: 2 }),
    metadata: fc.array(entry, { maxLength: 2 }),
    graph,
  } as never,
  { producerName: name, producerVersion: name, domain: name, modelVersion: int64, docString: name, extra } as never,
);
