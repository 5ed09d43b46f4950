import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import t from "tap";
import type { Tensor } from "../../src/graph/ir.js";
import { encodeModel, readModel, validateModel, writeModel } from "../../src/onnx/index.js";
import { floats, message, model, modelOf, node, value } from "./support.js";

/** A model file with one float tensor of four elements whose external data have the given entries. */
function externalModel(entries: Record<string, string>): Uint8Array {
  const external = Object.entries(entries).map(([k, v]) => [13, message([1, k], [2, v])] as const);
  return modelOf([5, message([1, 4], [2, 1], [8, "w"], ...external, [14, 1])]);
}
const four = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
const dense = model({
  nodes: [node("Add", ["x", "big"], ["h"]), node("Mul", ["h", "small"], ["y"])],
  inputs: [value("x", ["N", 1000])],
  outputs: [value("y", ["N", 1000])],
  initializers: [
    floats(
      "big",
      Array.from({ length: 1000 }, (_, i) => i),
    ),
    floats("small", [2]),
    floats(
      "other",
      Array.from({ length: 300 }, (_, i) => -i),
    ),
  ],
});
const elements = (tensors: readonly Tensor[]) => tensors.map((x) => [x.name, Buffer.from(x.bytes).toString("hex")]);

t.test("reading", async (t) => {
  const dir = t.testdir({ "w.bin": Buffer.concat([Buffer.alloc(64), four]), sub: {} });
  const path = join(dir, "m.onnx");
  const read = async (entries: Record<string, string>) => {
    writeFileSync(path, externalModel(entries));
    return readModel(path);
  };
  const [w] = (await read({ location: "w.bin", offset: "64", length: "16" })).graph.initializers;
  t.strictSame(w?.bytes, four);
  t.strictSame(
    (await read({ location: "w.bin", offset: "64" })).graph.initializers[0]?.bytes,
    four,
    "no length: what the dimensions ask for",
  );

  const outside = { code: "HALP_EXTERNAL_DATA_OUTSIDE", exitCode: 2, file: path };
  const missing = { code: "HALP_EXTERNAL_DATA_MISSING", exitCode: 2, file: path, message: /"w"/ };
  const range = { code: "HALP_EXTERNAL_DATA_RANGE", exitCode: 2, file: path };
  const format = { code: "HALP_EXTERNAL_DATA_FORMAT", exitCode: 2, file: path };
  await t.rejects(read({ location: "../w.bin" }), outside);
  await t.rejects(read({ location: "sub/../../w.bin" }), outside);
  await t.rejects(read({ location: "..\\w.bin" }), outside);
  await t.rejects(read({ location: join(dir, "w.bin") }), outside, "an absolute path");
  await t.rejects(read({ location: "C:\\w.bin" }), outside);
  await t.rejects(read({ location: "C:w.bin" }), outside);
  await t.rejects(read({ location: "nowhere.bin" }), missing);
  await t.rejects(read({ location: "w.bin/inside" }), missing);
  await t.rejects(read({ location: "w.bin", offset: "65" }), range);
  await t.rejects(read({ location: "w.bin", offset: "9007199254740991", length: "9007199254740991" }), range);
  await t.rejects(read({ location: "w.bin", length: "99999999999" }), range);
  await t.rejects(read({ location: "w.bin", offset: "-1" }), format);
  await t.rejects(read({ location: "w.bin", offset: "1e3" }), format);
  await t.rejects(read({ location: "w.bin", length: "" }), format);
  await t.rejects(read({ offset: "0" }), format, "no location");
  await t.rejects(read({ location: "a\0b" }), missing, "a name that no file can have");
  await t.rejects(read({ location: "sub" }), missing, "a folder");
  const short = await read({ location: "w.bin", offset: "64", length: "8" });
  t.throws(() => validateModel(short), { code: "HALP_ONNX_TENSOR_SIZE" });
});

t.test("links that lead out of the folder are not followed", async (t) => {
  const dir = t.testdir({ outside: { "secret.bin": four }, inside: { "real.bin": four } });
  try {
    symlinkSync(join(dir, "outside", "secret.bin"), join(dir, "inside", "link.bin"));
    symlinkSync(join(dir, "outside"), join(dir, "inside", "folder"));
    symlinkSync("real.bin", join(dir, "inside", "near.bin"));
  } catch {
    return t.comment("this system does not allow symbolic links");
  }
  const path = join(dir, "inside", "m.onnx");
  for (const location of ["link.bin", "folder/secret.bin"]) {
    writeFileSync(path, externalModel({ location }));
    await t.rejects(readModel(path), { code: "HALP_EXTERNAL_DATA_OUTSIDE" }, location);
  }
  writeFileSync(path, externalModel({ location: "near.bin" }));
  t.strictSame((await readModel(path)).graph.initializers[0]?.bytes, four, "a link within the folder is");
});

t.test("large weights go to a file of their own, and come back as views on one buffer", async (t) => {
  const dir = t.testdir();
  const path = join(dir, "m.onnx");
  await writeModel(dense, path, { externalData: true });
  t.strictSame(readdirSync(dir).sort(), ["m.onnx", "m.onnx.data"]);
  const read = await readModel(path);
  validateModel(read);
  t.strictSame(
    read.graph.initializers.map((x) => x.storage),
    ["external", "raw", "external"],
  );
  t.strictSame(elements(read.graph.initializers), elements(dense.graph.initializers));
  t.equal(read.graph.initializers[0]?.bytes.buffer, read.graph.initializers[2]?.bytes.buffer);

  await writeModel(read, path, { externalData: { threshold: 2000 } });
  t.strictSame(
    (await readModel(path)).graph.initializers.map((x) => x.storage),
    ["external", "raw", "external"],
    "what was external stays so",
  );
  await writeModel(dense, path, { externalData: { threshold: 2000 } });
  t.strictSame(
    (await readModel(path)).graph.initializers.map((x) => x.storage),
    ["external", "raw", "raw"],
  );
});

t.test("ONNX Runtime finds the weights where halp put them", async (t) => {
  const runtime = createRequire(import.meta.url)("onnxruntime-node") as typeof import("onnxruntime-node");
  const path = join(t.testdir(), "m.onnx");
  await writeModel(dense, path, { externalData: true });
  const session = await runtime.InferenceSession.create(path);
  const x = new runtime.Tensor("float32", new Float32Array(1000).fill(1), [1, 1000]);
  const { y } = await session.run({ x });
  await session.release();
  t.ok(
    isDeepStrictEqual(
      y?.data,
      Float32Array.from({ length: 1000 }, (_, i) => 2 * (i + 1)),
    ),
  );
});

t.test("an unedited model keeps its files, byte for byte", async (t) => {
  const dir = t.testdir({ a: {}, b: {} });
  await writeModel(dense, join(dir, "a", "m.onnx"), { externalData: true });
  const read = await readModel(join(dir, "a", "m.onnx"));
  await writeModel(read, join(dir, "b", "other.onnx"));
  t.strictSame(readFileSync(join(dir, "b", "other.onnx")), readFileSync(join(dir, "a", "m.onnx")));
  t.strictSame(readFileSync(join(dir, "b", "m.onnx.data")), readFileSync(join(dir, "a", "m.onnx.data")));

  const before = statSync(join(dir, "a", "m.onnx.data")).mtimeMs;
  await writeModel(read, join(dir, "a", "copy.onnx"));
  t.equal(
    statSync(join(dir, "a", "m.onnx.data")).mtimeMs,
    before,
    "beside the original the data are shared, not written again",
  );
  t.strictSame(
    elements((await readModel(join(dir, "a", "copy.onnx"))).graph.initializers),
    elements(dense.graph.initializers),
  );
});

t.test("an edited model beside the original leaves the original's weights alone", async (t) => {
  const dir = t.testdir();
  const path = join(dir, "m.onnx");
  await writeModel(dense, path, { externalData: true });
  const data = readFileSync(join(dir, "m.onnx.data"));
  const read = await readModel(path);
  const initializers = read.graph.initializers.map((x) => ({ ...x, bytes: x.bytes.map((b) => b ^ 1) }));
  const edited = { ...read, graph: { ...read.graph, initializers } };
  await writeModel(edited, join(dir, "pruned.onnx"));
  t.strictSame(readFileSync(join(dir, "m.onnx.data")), data);
  t.strictSame(elements((await readModel(join(dir, "pruned.onnx"))).graph.initializers), elements(initializers));

  await writeModel(edited, path);
  t.strictSame(
    elements((await readModel(path)).graph.initializers),
    elements(initializers),
    "in place of the original",
  );
});

t.test("cut weights do not leave holes", async (t) => {
  const dir = t.testdir();
  const path = join(dir, "m.onnx");
  const first = floats("first", new Array(100_000).fill(1));
  const wide = model({ initializers: [first, floats("second", new Array(1000).fill(2))] });
  await writeModel(wide, path, { externalData: true });
  const read = await readModel(path);
  const initializers = [floats("first", [1]), ...read.graph.initializers.slice(1)];
  await writeModel({ ...read, graph: { ...read.graph, initializers } }, join(dir, "cut.onnx"));
  t.equal(statSync(join(dir, "cut.onnx.data")).size, 4000);
  t.strictSame(elements((await readModel(join(dir, "cut.onnx"))).graph.initializers), elements(initializers));
});

t.test("all weights into one file", async (t) => {
  const dir = t.testdir();
  await writeModel(dense, join(dir, "m.onnx"), { externalData: true });
  const read = await readModel(join(dir, "m.onnx"));
  await writeModel(read, join(dir, "one.onnx"), { externalData: false });
  t.notOk(readdirSync(dir).includes("one.onnx.data"));
  const one = await readModel(join(dir, "one.onnx"));
  t.ok(one.graph.initializers.every((x) => x.storage === "raw"));
  t.strictSame(
    new Uint8Array(readFileSync(join(dir, "one.onnx"))),
    encodeModel(read),
    "encodeModel takes in what was read",
  );
  t.ok(isDeepStrictEqual(elements(one.graph.initializers), elements(dense.graph.initializers)));
});

t.test("weights that were never read cannot be written", async (t) => {
  const dir = t.testdir();
  const unread = model({
    initializers: [
      {
        ...floats("w", [1]),
        bytes: new Uint8Array(0),
        storage: "external",
        external: { entries: [{ key: "location", value: "w.bin" }] },
      },
    ],
  });
  for (const externalData of [undefined, false, true])
    await t.rejects(writeModel(unread, join(dir, "m.onnx"), externalData === undefined ? {} : { externalData }), {
      code: "HALP_EXTERNAL_DATA_MISSING",
      exitCode: 2,
    });
  t.strictSame(readdirSync(dir), []);
});

t.test("a location from outside is not written to", async (t) => {
  const dir = t.testdir({ inner: {} });
  const entries = [{ key: "location", value: "../evil.bin" }];
  const evil = model({ initializers: [{ ...floats("w", [1]), storage: "external", external: { entries } }] });
  await writeModel(evil, join(dir, "inner", "m.onnx"));
  t.strictSame(readdirSync(dir), ["inner"]);
  t.strictSame(
    elements((await readModel(join(dir, "inner", "m.onnx"))).graph.initializers),
    elements(evil.graph.initializers),
  );
});

t.test("output that cannot be written leaves nothing behind", async (t) => {
  const dir = t.testdir({ file: "text", folder: {} });
  const unwritable = { code: "HALP_OUTPUT_UNWRITABLE", exitCode: 2 };
  await t.rejects(writeModel(dense, join(dir, "file", "m.onnx")), unwritable);
  await t.rejects(writeModel(dense, join(dir, "folder")), unwritable);
  await t.rejects(writeModel(dense, join(dir, "folder"), { externalData: true }), unwritable);
  mkdirSync(join(dir, "blocked.onnx.data"));
  await t.rejects(writeModel(dense, join(dir, "blocked.onnx"), { externalData: true }), unwritable);
  t.strictSame(readdirSync(dir).sort(), ["blocked.onnx.data", "file", "folder"]);
  t.equal(readFileSync(join(dir, "file"), "utf8"), "text");
});
