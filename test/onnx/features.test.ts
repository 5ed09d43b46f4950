/** What real files hold now and then, one by one. The files are written here byte by byte, without halp's writer. */
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import t, { type Test } from "tap";
import type { Model, Tensor } from "../../src/graph/ir.js";
import { integersOf } from "../../src/graph/tensors.js";
import { decodeModel, encodeModel } from "../../src/onnx/index.js";
import { anew, message, modelOf } from "./support.js";

/** Reads the bytes; checks that they come back as they were, and their content also when every object is written anew. */
function read(t: Test, bytes: Uint8Array): Model {
  const model = decodeModel(bytes);
  t.strictSame(encodeModel(model), bytes, "same bytes");
  const canonical = encodeModel(anew(model));
  t.strictSame(anew(decodeModel(canonical)), anew(model), "same content");
  return model;
}
const text = (s: string) => new TextEncoder().encode(s);
const onlyTensor = (m: Model): Tensor => {
  const [tensor] = m.graph.initializers;
  if (!tensor) throw new Error("no initialiser");
  return tensor;
};

t.test("fields that halp does not know survive at every level", async (t) => {
  const dim = message([2, "N"], [3, "DATA_BATCH"], [99, "in dim"]);
  const type = message([1, message([1, 1], [2, message([1, dim], [99, "in shape"])], [99, "x"])], [6, "IMAGE"]);
  const bytes = message(
    [1, 9],
    [6, "doc of model"],
    [
      7,
      message(
        [
          1,
          message(
            [1, "x"],
            [2, "y"],
            [4, "Foo"],
            [5, message([1, "a"], [3, 0], [13, "doc"], [20, 2], [77, "in attribute"])],
            [6, "doc of node"],
            [7, "my.domain"],
            [8, "overload"],
            [9, message([1, "k"], [2, "v"])],
            [99, 5],
          ),
        ],
        [2, "g"],
        [
          5,
          message(
            [1, 1],
            [2, 1],
            [8, "w"],
            [9, new Uint8Array(4)],
            [12, "doc of tensor"],
            [16, message([1, "k"], [2, ""])],
            [99, "t"],
          ),
        ],
        [11, message([1, "x"], [2, type], [3, "doc of value"], [4, message([1, "k"], [2, "v"])])],
        [12, message([1, "y"])],
        [14, message([1, "y"], [2, message([1, "SCALE_TENSOR"], [2, "w"])])],
        [15, message([1, message([1, 1], [2, 1], [8, "sparse"], [9, new Uint8Array(4)])])],
        [16, message([1, "k"], [2, "v"])],
        [500, 12],
      ),
    ],
    [8, message([2, 18])],
    [8, message([1, "my.domain"], [2, 1], [99, "in opset"])],
    [14, message([1, "key"], [2, "value"])],
    [20, message([1, message([2, "training"])])],
    [25, message([1, "F"], [4, "a"], [5, "b"])],
    [1000, "of the future"],
  );
  const model = read(t, bytes);
  const canonical = encodeModel(anew(model));
  for (const kept of [
    "in dim",
    "in shape",
    "IMAGE",
    "in attribute",
    "overload",
    "SCALE_TENSOR",
    "sparse",
    "in opset",
    "training",
    "of the future",
  ])
    t.ok(Buffer.from(canonical).includes(kept), kept);
  t.strictSame(model.metadata, [{ key: "key", value: "value" }]);
  t.equal(model.graph.nodes[0]?.domain, "my.domain");
  t.strictSame(model.graph.inputs[0]?.dims, ["N"]);

  const [input] = model.graph.inputs;
  if (!input) throw new Error("no input");
  const edited = { ...model, graph: { ...model.graph, inputs: [{ ...input, dims: [7] }] } };
  const again = decodeModel(encodeModel(edited));
  t.strictSame(again.graph.inputs[0]?.dims, [7]);
  const written = Buffer.from(encodeModel(edited));
  t.ok(written.includes("DATA_BATCH") && written.includes("IMAGE"), "what is known of a dimension outlives its size");
});

t.test("dimensions", async (t) => {
  const dims = [message([1, 3]), message([2, "N"]), message(), message([2, ""]), message([1, -1]), message([1, 0])];
  const shape = message(...dims.map((d) => [1, d] as const));
  const bytes = modelOf(
    [11, message([1, "x"], [2, message([1, message([1, 1], [2, shape])])])],
    [11, message([1, "scalar"], [2, message([1, message([1, 1], [2, message()])])])],
    [11, message([1, "unranked"], [2, message([1, message([1, 7])])])],
    [11, message([1, "untyped"])],
    [11, message([1, "sequence"], [2, message([4, message([1, message([1, message([1, 1])])])])])],
  );
  const { inputs } = read(t, bytes).graph;
  t.strictSame(inputs[0]?.dims, [3, "N", null, null, null, 0]);
  t.strictSame(inputs[1]?.dims, []);
  t.strictSame(inputs[2], { name: "unranked", dtype: "int64", dtypeCode: 7 });
  t.strictSame(inputs[3], { name: "untyped" });
  t.equal(inputs[4]?.dtype, undefined);
  t.ok(inputs[4]?.typeExtra);
});

t.test("repeated numbers, packed and one by one", async (t) => {
  const packedInts = new BinaryWriter();
  for (const v of [1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]) packedInts.int64(v);
  const packedFloats = new Uint8Array(Float32Array.of(1.5, -0, Number.POSITIVE_INFINITY).buffer);
  const attributes = [
    message([1, "packed"], [8, packedInts.finish()], [20, 7]),
    message([1, "single"], [8, 1], [8, -1n], [8, 2n ** 63n - 1n], [8, -(2n ** 63n)], [20, 7]),
    message([1, "packedFloats"], [7, packedFloats], [20, 6]),
    message(
      [1, "singleFloats"],
      [7, { float: 1.5 }],
      [7, { float: -0 }],
      [7, { float: Number.POSITIVE_INFINITY }],
      [20, 6],
    ),
    message([1, "none"], [20, 7]),
  ];
  const model = read(
    t,
    modelOf(
      [1, message([4, "Foo"], ...attributes.map((a) => [5, a] as const))],
      [5, message([1, Uint8Array.of(2, 3)], [2, 9], [8, "w"], [9, new Uint8Array(6)])],
    ),
  );
  const value = (name: string) => model.graph.nodes[0]?.attributes.get(name)?.value;
  t.strictSame(value("packed"), [1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]);
  t.strictSame(value("single"), value("packed"));
  t.strictSame(value("singleFloats"), value("packedFloats"));
  t.strictSame(value("packedFloats"), [1.5, -0, Number.POSITIVE_INFINITY]);
  t.strictSame(value("none"), []);
  t.strictSame(onlyTensor(model).dims, [2, 3]);
});

t.test("attributes of every kind", async (t) => {
  const tensor = message([2, 1], [8, "w"], [9, new Uint8Array(4)]);
  const graph = message([1, message([1, "outer"], [2, "b"], [4, "Identity"])], [2, "body"], [12, message([1, "b"])]);
  const attributes = [
    message([1, "f"], [2, { float: 0 }], [20, 1]),
    message([1, "i"], [3, 0], [20, 2]),
    message([1, "i_unsaid"], [20, 2]),
    message([1, "untyped"], [3, 4]),
    message([1, "s"], [4, Uint8Array.of(0xff, 0)], [20, 3]),
    message([1, "t"], [5, tensor], [20, 4]),
    message([1, "g"], [6, graph], [20, 5]),
    message([1, "ss"], [9, text("a")], [9, text("")], [20, 8]),
    message([1, "tensors"], [10, tensor], [10, tensor], [20, 9]),
    message([1, "gs"], [11, graph], [11, graph], [20, 10]),
    message([1, "sparse"], [22, message([1, tensor])], [20, 11]),
    message([1, "tp"], [14, message([1, message([1, 1])])], [20, 13]),
    message([1, "reference"], [20, 1], [21, "alpha"]),
    message([1, "two at once"], [2, { float: 1 }], [3, 1], [20, 2]),
    message([1, "of the future"], [20, 1234]),
  ];
  const model = read(t, modelOf([1, message([4, "Foo"], ...attributes.map((a) => [5, a] as const))]));
  const kinds = Object.fromEntries([...(model.graph.nodes[0]?.attributes ?? [])].map(([name, a]) => [name, a.kind]));
  t.strictSame(kinds, {
    f: "float",
    i: "int",
    i_unsaid: "int",
    untyped: "int",
    s: "string",
    t: "tensor",
    g: "graph",
    ss: "strings",
    gs: "graphs",
    tensors: "opaque",
    sparse: "opaque",
    tp: "opaque",
    reference: "opaque",
    "two at once": "opaque",
    "of the future": "opaque",
  });
});

t.test("an attribute put under another name is written under that name", async (t) => {
  const bytes = modelOf([
    1,
    message([4, "Foo"], [5, message([1, "i"], [3, 4], [20, 2])], [5, message([1, "r"], [20, 1], [21, "alpha"])]),
  ]);
  const model = decodeModel(bytes);
  const nodes = model.graph.nodes.map((n) => ({
    ...n,
    attributes: new Map([...n.attributes].map(([k, a]) => [`${k}_renamed`, a])),
  }));
  const again = decodeModel(encodeModel({ ...model, graph: { ...model.graph, nodes } }));
  t.strictSame([...(again.graph.nodes[0]?.attributes.keys() ?? [])], ["i_renamed", "r_renamed"]);
});

t.test("typed elements of every type become the bytes of raw data", async (t) => {
  const int32 = (code: number, ...values: number[]) =>
    message([1, values.length], [2, code], ...values.map((v) => [5, v] as const), [8, "w"]);
  const cases: [string, Uint8Array, number[]][] = [
    ["float", message([1, 2], [2, 1], [4, { float: 1 }], [4, { float: -2 }], [8, "w"]), [0, 0, 128, 63, 0, 0, 0, 192]],
    ["uint8", int32(2, 255, 1), [255, 1]],
    ["int8", int32(3, -1, 1), [255, 1]],
    ["uint16", int32(4, 65535, 1), [255, 255, 1, 0]],
    ["int16", int32(5, -2, 1), [254, 255, 1, 0]],
    ["int32", int32(6, -2), [254, 255, 255, 255]],
    ["int64", message([1, 1], [2, 7], [7, -2n], [8, "w"]), [254, 255, 255, 255, 255, 255, 255, 255]],
    ["bool", int32(9, 1, 0), [1, 0]],
    ["float16", int32(10, 0x3c00), [0, 60]],
    ["bfloat16", int32(16, 0x3f80), [128, 63]],
    ["uint32", message([1, 1], [2, 12], [8, "w"], [11, 4294967295]), [255, 255, 255, 255]],
    ["uint64", message([1, 1], [2, 13], [8, "w"], [11, -1n]), [255, 255, 255, 255, 255, 255, 255, 255]],
    ["int4 pairs", int32(22, 0xf1), [0xf1]],
  ];
  for (const [name, tensor, bytes] of cases)
    await t.test(name, async (t) => {
      const w = onlyTensor(read(t, modelOf([5, tensor])));
      t.equal(w.storage, "typed");
      t.strictSame([...w.bytes], bytes);
    });
  await t.test("double", async (t) => {
    const w = onlyTensor(
      read(t, modelOf([5, message([1, 1], [2, 11], [8, "w"], [10, new Uint8Array(Float64Array.of(1).buffer)])])),
    );
    t.strictSame([...w.bytes], [0, 0, 0, 0, 0, 0, 240, 63]);
  });
  await t.test("strings", async (t) => {
    const w = onlyTensor(read(t, modelOf([5, message([1, 2], [2, 8], [6, Uint8Array.of(255)], [6, ""], [8, "w"])])));
    t.strictSame(w.strings, [Uint8Array.of(255), new Uint8Array(0)]);
  });
  await t.test("packed floats are views", async (t) => {
    const bytes = modelOf([5, message([1, 2], [2, 1], [4, new Uint8Array(Float32Array.of(1, 2).buffer)], [8, "w"])]);
    t.equal(onlyTensor(read(t, bytes)).bytes.buffer, bytes.buffer);
  });
  await t.test("none at all, and raw data of no length", async (t) => {
    t.equal(onlyTensor(read(t, modelOf([5, message([1, 0], [2, 1], [8, "w"])]))).storage, "typed");
    t.equal(onlyTensor(read(t, modelOf([5, message([1, 0], [2, 1], [8, "w"], [9, ""])]))).storage, "raw");
  });
});

t.test("copied elements that were written to are not forgotten", async (t) => {
  const tensor = message([1, 2], [2, 7], [7, 5], [7, 6], [8, "w"]);
  const model = decodeModel(modelOf([5, tensor]));
  onlyTensor(model).bytes[0] = 9;
  t.strictSame(integersOf(onlyTensor(decodeModel(encodeModel(model)))), [9, 6]);
});

t.test("an initialiser may be an input too, and an external one need not be read", async (t) => {
  const external = message([1, 4], [2, 1], [8, "w"], [13, message([1, "location"], [2, "w.bin"])], [14, 1]);
  const model = read(t, modelOf([5, external], [11, message([1, "w"])]));
  t.equal(onlyTensor(model).storage, "external");
  t.equal(model.graph.inputs[0]?.name, "w");
});

t.test("a message in two pieces means both", async (t) => {
  const model = read(
    t,
    message([1, 8], [7, message([2, "first"])], [7, message([10, "second"])], [8, message([2, 18])]),
  );
  t.equal(model.graph.name, "first");
  t.equal(model.graph.docString, "second");
});

t.test("fields in any order", async (t) => {
  const node = message([5, message([20, 2], [3, 7], [1, "a"])], [4, "Foo"], [2, "y"], [1, "x"]);
  const model = read(t, message([8, message([2, 18], [1, ""])], [7, message([2, "g"], [1, node])], [1, 8]));
  t.strictSame(model.graph.nodes[0]?.attributes.get("a"), { kind: "int", value: 7n });
});

t.test("text that is not UTF-8 comes back byte for byte", async (t) => {
  const gbk = Uint8Array.of(0x43, 0x3a, 0x5c, 0xd6, 0xd0, 0xce, 0xc4);
  const model = read(t, modelOf([2, "größe ✓ \ufeff"], [10, gbk]));
  t.equal(model.graph.name, "größe ✓ \ufeff");
  t.ok(Buffer.from(encodeModel(anew(model))).includes(Buffer.from(gbk)));
});

t.test("every opset from 9 to 26", async (t) => {
  for (let version = 9; version <= 26; version++)
    t.equal(
      read(t, message([1, 8], [7, message([2, "g"])], [8, message([1, "ai.onnx"], [2, version])])).opsets[0]?.version,
      version,
    );
});
