import { spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import t from "tap";
import { GraphBuilder } from "../../src/graph/builder.js";
import { int64Tensor } from "../../src/graph/tensors.js";
import { encodeModel } from "../../src/onnx/index.js";
import {
  createSession,
  floatsOf,
  floatTensor,
  optimizedModel,
  randomTensor,
  runtimeTensor,
  runtimeVersion,
} from "../../src/runtime/index.js";

function addModel() {
  const g = new GraphBuilder();
  const x = g.input("x", ["n", 3]);
  const y = g.input("y", [3]);
  g.output(g.node("Add", [x, y], {}, { outputs: ["sum"] }), ["n", 3]);
  g.output(g.node("Shape", [x], {}, { outputs: ["shape"] }), [2], "int64");
  return g.model();
}

t.test("the runtime is not loaded before a session is asked for", (t) => {
  const loaded = Object.keys(createRequire(import.meta.url).cache).filter((f) => f.includes("onnxruntime-node"));
  t.strictSame(loaded, []);
  t.match(runtimeVersion(), /^\d+\.\d+\.\d+/);
  t.end();
});

t.test("runs, with types and dims of inputs and outputs", (t) => {
  using session = createSession(addModel());
  t.strictSame(session.inputNames, ["x", "y"]);
  t.strictSame(session.outputNames, ["sum", "shape"]);
  t.strictSame(session.inputs[0], { name: "x", dtype: "float32", dims: ["n", 3] });
  t.strictSame(session.outputs[1], { name: "shape", dtype: "int64", dims: [2] });
  const feeds = {
    x: floatTensor(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]),
    y: floatTensor(Float32Array.of(10, 20, 30), [3]),
  };
  const out = session.run(feeds);
  t.strictSame([...floatsOf(out.sum!)], [11, 22, 33, 14, 25, 36]);
  t.strictSame(out.sum?.dims, [2, 3]);
  t.strictSame(out.shape?.dtype, "int64");
  t.strictSame(out.shape?.data, BigInt64Array.of(2n, 3n));
  t.strictSame(Object.keys(session.run(feeds, ["sum"])), ["sum"], "only what is asked for");
  const again = session.run({ ...feeds, x: out.sum! }, ["sum"]);
  t.strictSame([...floatsOf(again.sum!)], [21, 42, 63, 24, 45, 66], "an output goes in again as an input");
  t.end();
});

t.test("external data travels with the model", (t) => {
  const g = new GraphBuilder();
  const c = int64Tensor("c", [2], [40, 2]);
  const where = { entries: [{ key: "location", value: "no-such-file.bin" }] };
  g.initializer({ ...c, storage: "external", external: where });
  g.output(g.node("Add", [g.input("x", [2], "int64"), "c"], {}, { outputs: ["y"] }), [2], "int64");
  using session = createSession(g.model());
  const out = session.run({ x: runtimeTensor("int64", BigInt64Array.of(1n, 1n), [2]) });
  t.strictSame(out.y?.data, BigInt64Array.of(41n, 3n));
  t.end();
});

t.test("what goes wrong has a code", (t) => {
  using session = createSession(addModel());
  const x = floatTensor(new Float32Array(3), [1, 3]);
  t.throws(() => session.run({ x, z: x }), { code: "HALP_RUNTIME_INPUT" });
  t.throws(() => session.run({ x }), { code: "HALP_RUNTIME_RUN" }, "an input is missing");
  t.throws(() => session.run({ x, y: floatTensor(new Float32Array(4), [4]) }), { code: "HALP_RUNTIME_RUN" });
  t.throws(() => createSession(new Uint8Array([1, 2, 3])), { code: "HALP_RUNTIME_LOAD", exitCode: 1 });
  t.throws(() => floatTensor(new Float32Array(3), [2, 2]), { code: "HALP_TENSOR_SHAPE" });
  t.throws(() => floatsOf(runtimeTensor("bool", new Uint8Array(1), [1])), { code: "HALP_TENSOR_TYPE" });
  session.dispose();
  session.dispose();
  t.throws(() => session.run({ x, y: x }), { code: "HALP_RUNTIME_DISPOSED" });
  t.end();
});

t.test("session config entries reach the runtime", (t) => {
  const broken = { "session.intra_op_thread_affinities": "no such core" };
  t.throws(() => createSession(addModel(), { threads: 2, config: broken }), { code: "HALP_RUNTIME_LOAD" });
  createSession(addModel(), { config: { "session.intra_op.allow_spinning": "0" } }).dispose();
  t.end();
});

t.test("shows what the runtime made of a model", (t) => {
  const g = new GraphBuilder();
  g.output(
    g.node("Identity", [g.node("Relu", [g.node("Identity", [g.input("x", [4])])])], {}, { outputs: ["y"] }),
    [4],
  );
  t.strictSame(
    optimizedModel(g.model()).graph.nodes.map((n) => n.opType),
    ["Relu"],
  );
  t.end();
});

t.test("random data is the same for the same seed", (t) => {
  const [a, b, c] = [randomTensor("float32", [8], 1), randomTensor("float32", [8], 1), randomTensor("float32", [8], 2)];
  t.strictSame(a, b);
  t.notSame(a, c);
  t.strictSame(randomTensor("int64", [2], 1).data, new BigInt64Array(2));
  t.end();
});

t.test("the runtime tells nobody of what it runs, and leaves no files", async (t) => {
  const folder = t.testdir({ home: {}, tmp: {} });
  const { ORT_DISABLE_TELEMETRY: _, ...others } = process.env;
  const env = {
    ...others,
    HOME: join(folder, "home"),
    TMPDIR: join(folder, "tmp"),
    XDG_CACHE_HOME: join(folder, "home"),
  };
  const runtime = new URL("../../src/runtime/index.js", import.meta.url).href;
  writeFileSync(join(folder, "model.onnx"), encodeModel(addModel()));
  const script = `
      import { readFileSync } from "node:fs";
      const { createSession, floatTensor } = await import(${JSON.stringify(runtime)});
      const session = createSession(readFileSync("model.onnx"));
      session.run({ x: floatTensor(new Float32Array(3), [1, 3]), y: floatTensor(new Float32Array(3), [3]) });
      session.dispose();`;
  writeFileSync(join(folder, "script.mjs"), script);
  const { status, stderr } = spawnSync(process.execPath, ["script.mjs"], { cwd: folder, env, encoding: "utf8" });
  t.equal(status, 0, stderr);
  t.same(readdirSync(join(folder, "tmp")), []);
  t.same(readdirSync(join(folder, "home")), []);
});
