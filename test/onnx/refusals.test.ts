/** What is no ONNX model, or a broken one. */
import { join } from "node:path";
import t from "tap";
import { decodeModel, encodeModel, readModel, validateModel } from "../../src/onnx/index.js";
import { floats, graph, message, model, modelOf, node, value } from "./support.js";

const text = (s: string) => new TextEncoder().encode(s);
const png = Uint8Array.of(
  0x89,
  0x50,
  0x4e,
  0x47,
  0x0d,
  0x0a,
  0x1a,
  0x0a,
  0,
  0,
  0,
  13,
  0x49,
  0x48,
  0x44,
  0x52,
  0,
  0,
  0,
  1,
  0,
  0,
  0,
  1,
);
const graphField = message([2, "g"]);

t.test("files that are no ONNX models", async (t) => {
  const cases: Record<string, Uint8Array> = {
    empty: new Uint8Array(0),
    text: text("hello world, this is not a model\n"),
    json: text('{"model": 1}'),
    html: text("<!DOCTYPE html><html><body>404</body></html>"),
    "a git-lfs pointer": text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"),
    png,
    zip: Uint8Array.of(0x50, 0x4b, 3, 4, 20, 0, 0, 0, 8, 0),
    gzip: Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3),
    zeros: new Uint8Array(100),
    "all ones": new Uint8Array(100).fill(255),
    "no graph": message([1, 8], [2, "pytorch"], [8, message([2, 18])]),
    "no opset": message([1, 8], [7, graphField]),
    "version of the format": message([1, -5], [7, graphField]),
    "a graph that is text": message([1, 8], [7, text("hello")], [8, message([2, 18])]),
    "packed numbers that do not fit": modelOf([5, message([1, Uint8Array.of(0x80)], [2, 1])]),
    "negative dimension": modelOf([5, message([1, -1], [2, 1], [8, "w"])]),
    "dimension beyond 2^53": modelOf([5, message([1, 2n ** 62n], [2, 1], [8, "w"])]),
    "elements twice": modelOf([5, message([1, 1], [2, 1], [4, { float: 1 }], [8, "w"], [9, new Uint8Array(4)])]),
    "elements in the field of another type": modelOf([5, message([1, 1], [2, 1], [7, 1], [8, "w"])]),
    "attribute twice": modelOf([
      1,
      message([4, "Foo"], [5, message([1, "a"], [3, 1])], [5, message([1, "a"], [3, 2])]),
    ]),
    "endless group": Uint8Array.from([8, 8, ...new Array(500).fill(0x1b)]),
  };
  for (const [name, bytes] of Object.entries(cases))
    t.throws(
      () => decodeModel(bytes, { file: "m.onnx" }),
      { code: "HALP_ONNX_FORMAT", exitCode: 2, file: "m.onnx" },
      name,
    );
});

t.test("sizes that lie are found before anything is allocated", async (t) => {
  const huge = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x07);
  t.throws(() => decodeModel(Uint8Array.of(8, 8, 0x3a, ...huge, 1)), { code: "HALP_ONNX_TRUNCATED" });
  const tensor = Uint8Array.from([...message([1, 1], [2, 1], [8, "w"]), 0x4a, ...huge]);
  t.throws(() => decodeModel(modelOf([5, tensor])), { code: "HALP_ONNX_FORMAT" });
  const many = decodeModel(modelOf([5, message([1, 2 ** 50], [2, 1], [8, "w"], [9, ""])]));
  t.throws(() => validateModel(many), { code: "HALP_ONNX_TENSOR_SIZE" });
});

t.test("nesting and number of objects are limited", async (t) => {
  let inner = graphField;
  for (let i = 0; i < 2000; i++) inner = message([1, message([4, "If"], [5, message([1, "g"], [6, inner], [20, 5])])]);
  const deep = message([1, 8], [7, inner], [8, message([2, 18])]);
  t.throws(() => decodeModel(deep), { code: "HALP_ONNX_DEPTH" });
  const crowd = modelOf(...Array.from({ length: 50 }, () => [1, message([4, "Foo"])] as const));
  t.throws(() => decodeModel(crowd, { limits: { objects: 20 } }), { code: "HALP_ONNX_LIMIT" });
  t.equal(decodeModel(crowd, { limits: { objects: 100 } }).graph.nodes.length, 50);
});

t.test("files that cannot be read", async (t) => {
  const large = join(t.testdir({ "large.onnx": "x".repeat(1000) }), "large.onnx");
  await t.rejects(readModel(large, { limits: { fileBytes: 999 } }), {
    code: "HALP_ONNX_LIMIT",
    message: /limits\.fileBytes/,
  });
  await t.rejects(readModel(large, { limits: { fileBytes: 1000 } }), { code: "HALP_ONNX_FORMAT" });
  await t.rejects(readModel("no/such/model.onnx"), {
    code: "HALP_FILE_MISSING",
    exitCode: 2,
    file: "no/such/model.onnx",
  });
  await t.rejects(readModel("test"), { code: "HALP_FILE_UNREADABLE", exitCode: 2 });
  await t.rejects(readModel("package.json"), { code: "HALP_ONNX_FORMAT", exitCode: 2 });
});

t.test("validateModel", async (t) => {
  const x = value("x", [2]);
  const y = value("y", [2]);
  const w = floats("w", [1, 2]);
  const add = node("Add", ["x", "w"], ["y"], { name: "add" });
  const good = { nodes: [add], inputs: [x], outputs: [y], initializers: [w] };
  const refused = (
    g: Parameters<typeof model>[0],
    expected: { code: string; node?: string; opType?: string; message?: RegExp },
    name: string,
  ) =>
    t.throws(
      () => validateModel(model({ ...good, ...g }), { file: "m.onnx" }),
      { file: "m.onnx", exitCode: 2, ...expected },
      name,
    );

  t.doesNotThrow(() => validateModel(model(good)));
  t.doesNotThrow(
    () => validateModel(model({ ...good, inputs: [x, value("w", [2])] })),
    "an initialiser that is an input",
  );
  t.doesNotThrow(
    () => validateModel(model({ ...good, nodes: [node("Clip", ["x", "", "w"], ["y", ""])] })),
    "inputs and outputs left out",
  );

  refused(
    { initializers: [] },
    { code: "HALP_ONNX_MISSING_VALUE", node: "add", opType: "Add", message: /"w"/ },
    "a weight is missing",
  );
  refused({ outputs: [value("z", [2])] }, { code: "HALP_ONNX_MISSING_VALUE", message: /"z"/ }, "an output is missing");
  refused(
    { nodes: [node("Relu", ["h"], ["y"]), node("Add", ["x", "w"], ["h"])] },
    { code: "HALP_ONNX_NOT_SORTED", node: "y", message: /"h"/ },
    "not sorted",
  );
  refused({ nodes: [node("Relu", ["y"], ["y"])] }, { code: "HALP_ONNX_NOT_SORTED" }, "a node that reads itself");
  refused(
    { nodes: [add, node("Relu", ["x"], ["y"])] },
    { code: "HALP_ONNX_DUPLICATE_VALUE", node: "y" },
    "two nodes make a value",
  );
  refused(
    { nodes: [node("Relu", ["x"], ["w"]), add] },
    { code: "HALP_ONNX_DUPLICATE_VALUE" },
    "a node makes what is an initialiser",
  );
  refused({ initializers: [w, w] }, { code: "HALP_ONNX_DUPLICATE_VALUE" }, "two initialisers of one name");
  for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    const code = { code: "HALP_ONNX_NAME", message: new RegExp(`"${name}"`) };
    refused({ nodes: [node("Relu", ["x"], [name]), node("Add", [name, "w"], ["y"])] }, code, `a value called ${name}`);
    refused({ inputs: [x, value(name, [2])] }, code, `an input called ${name}`);
    refused({ nodes: [{ ...node("Add", ["x", "w"], ["y"]), name }] }, code, `a node called ${name}`);
    refused({ nodes: [node(name, ["x"], ["y"])] }, code, `an operator called ${name}`);
  }
  refused(
    { initializers: [{ ...w, dims: [3] }] },
    { code: "HALP_ONNX_TENSOR_SIZE", message: /12 bytes.*holds 8/ },
    "a weight too short",
  );
  refused({ nodes: [node("", ["x"], ["y"])] }, { code: "HALP_ONNX_FORMAT" }, "no operator");

  const body = (input: string) =>
    new Map([
      [
        "body",
        { kind: "graph" as const, value: graph({ nodes: [node("Relu", [input], ["b"])], outputs: [value("b", [2])] }) },
      ],
    ]);
  t.doesNotThrow(
    () => validateModel(model({ ...good, nodes: [add, node("If", ["x"], ["i"], { attributes: body("y") })] })),
    "a body sees outer values",
  );
  refused(
    { nodes: [node("If", ["x"], ["i"], { attributes: body("y") }), add] },
    { code: "HALP_ONNX_MISSING_VALUE" },
    "but not later ones",
  );

  const sparse = message([15, message([1, message([1, 1], [2, 1], [8, "w"], [9, new Uint8Array(4)])])]);
  t.doesNotThrow(
    () => validateModel(model({ ...good, initializers: [], extra: sparse })),
    "a sparse initialiser defines its name",
  );
  const int4 = {
    name: "w",
    dtype: "other",
    dtypeCode: 22,
    dims: [3],
    bytes: new Uint8Array(2),
    storage: "raw",
  } as const;
  t.doesNotThrow(() => validateModel(model({ ...good, initializers: [int4] })), "three 4-bit numbers in two bytes");
});

t.test("what is too large for one file is refused", async (t) => {
  // The same megabyte many times over: views cost nothing.
  const bytes = new Uint8Array(2 ** 20);
  const initializers = Array.from({ length: 2100 }, (_, i) => floats(`w${i}`, [], { bytes, dims: [2 ** 18] }));
  t.throws(() => encodeModel(model({ initializers })), { code: "HALP_ONNX_TOO_LARGE" });
});
