/** Large models: weights that stay in their files are the same weights, wherever they go. */
import { readFileSync, renameSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import t from "tap";
import { analyzeCoupling } from "../../src/coupling/index.js";
import { HalpError } from "../../src/errors.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import type { Model, Tensor } from "../../src/graph/ir.js";
import { byteLengthOf, isLazy } from "../../src/graph/lazy-tensor.js";
import { decodeModel, encodeModel, readModel, tensorsOf, validateModel, writeModel } from "../../src/onnx/index.js";
import { findOperator } from "../../src/operators/index.js";
import { applyPlan, verifyRewrite } from "../../src/rewrite/index.js";
import { createSession, measureModels, storeModel } from "../../src/runtime/index.js";
import { randomPlan, seeded } from "../rewrite/random-plan.js";
import { zoo } from "../rewrite/zoo.js";

/** All models count as large, all but the smallest of their weights too. */
const lazyAbove = { modelBytes: 0, tensorBytes: 64 };

const contents = (model: Model) =>
  tensorsOf(model).map((w) => [w.name, w.dtype, w.dims, Buffer.from(w.bytes).toString("base64")]);
const structure = ({ graph, ...model }: Model) => ({
  ...model,
  graph: { ...graph, initializers: graph.initializers.map((w) => [w.name, w.dtype, w.dims, byteLengthOf(w)]) },
});

async function bothWays(file: string) {
  return { eager: await readModel(file), lazy: await readModel(file, { lazyAbove }) };
}

t.test("read, cut, verified and written, a lazy model is the same model", async (t) => {
  const dir = t.testdir();
  let lazies = 0;
  for (const [i, network] of zoo.entries()) {
    const file = join(dir, `${i}.onnx`);
    writeFileSync(file, encodeModel(network.model));
    for (const external of [false, true]) {
      const path = external ? join(dir, `${i}-apart.onnx`) : file;
      if (external) await writeModel(network.model, path, { externalData: { threshold: 16 } });
      const { eager, lazy } = await bothWays(path);
      validateModel(lazy);
      t.same(structure(lazy), structure(eager), network.name);
      t.same(contents(lazy), contents(eager), network.name);

      const inputDims = new Map(Object.entries(network.inputs));
      const [a, b] = [eager, lazy].map((model) => {
        const analyzed = analyzeGraph(model, findOperator, { inputDims });
        const coupling = analyzeCoupling(analyzed, findOperator);
        const plan = randomPlan(analyzed, coupling, seeded(i), 0.2);
        const rewritten = applyPlan(analyzed, coupling, plan, findOperator);
        return { analyzed, coupling, plan, rewritten };
      });
      if (!a || !b) throw new Error("two were made");
      lazies += b.rewritten.model.graph.initializers.filter(isLazy).length;
      t.same(contents(b.rewritten.model), contents(a.rewritten.model), `${network.name}, cut`);
      t.ok(verifyRewrite(b.analyzed, b.coupling, b.plan, b.rewritten).maxError < 1e-4, network.name);
      const written = join(dir, `${i}-cut.onnx`);
      for (const externalData of [undefined, false, true]) {
        await writeModel(b.rewritten.model, written, externalData === undefined ? {} : { externalData });
        t.same(contents(await readModel(written)), contents(a.rewritten.model), `${network.name}, written`);
      }
      t.same(contents(decodeModel(encodeModel(b.rewritten.model))), contents(a.rewritten.model));
    }
  }
  t.ok(lazies > 50, `${lazies} weights stayed lazy through the cut`);
});

/** One convolution with a weight of some length. */
function small(): Model {
  return (zoo.find((n) => n.name === "chain") ?? zoo[0])?.model as Model;
}

t.test("the file may be replaced, and not be written to", async (t) => {
  const dir = t.testdir();
  const [file, other] = [join(dir, "m.onnx"), join(dir, "other.onnx")];
  const bytes = encodeModel(small());
  writeFileSync(file, bytes);
  const model = await readModel(file, { lazyAbove });
  const before = contents(await readModel(file));
  const [w] = model.graph.initializers.filter(isLazy) as [Tensor];
  writeFileSync(other, "something else");
  renameSync(other, file);
  t.same(contents(model), before, "what was opened is read on");

  writeFileSync(file, bytes);
  const again = await readModel(file, { lazyAbove });
  utimesSync(file, 1, 1);
  const changed = { code: "HALP_FILE_CHANGED", exitCode: 1, file };
  t.throws(() => contents(again), changed);
  truncateSync(file, 100);
  t.throws(() => contents(again), changed);
  t.ok(byteLengthOf(w) > 64);
});

t.test("damaged files are refused just as when they are read whole", async (t) => {
  const file = join(t.testdir(), "m.onnx");
  const bytes = encodeModel(small());
  const codeOf = async (read: Promise<Model>): Promise<string> => {
    try {
      validateModel(await read);
      return "fine";
    } catch (error) {
      if (!(error instanceof HalpError)) throw error;
      return error.code;
    }
  };
  await fc.assert(
    fc.asyncProperty(
      fc.nat(bytes.length),
      fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 3 }),
      async (end, changes) => {
        const broken = bytes.slice(0, changes.length > 0 ? bytes.length : end);
        for (const [at, value] of changes) broken[at] = value;
        writeFileSync(file, broken);
        return (await codeOf(readModel(file, { lazyAbove }))) === (await codeOf(readModel(file)));
      },
    ),
    { numRuns: 400 },
  );
  await t.rejects(readModel(join(t.testdirName, "nowhere.onnx"), { lazyAbove }), { code: "HALP_FILE_MISSING" });
});

t.test("external data of large models is checked as that of small ones", async (t) => {
  const dir = t.testdir();
  const path = join(dir, "m.onnx");
  await writeModel(small(), path, { externalData: { threshold: 16 } });
  const data = `${path}.data`;
  const whole = readFileSync(data);
  writeFileSync(data, whole.subarray(0, whole.length >> 1));
  await t.rejects(readModel(path, { lazyAbove }), { code: "HALP_EXTERNAL_DATA_RANGE" });
  renameSync(data, join(dir, "elsewhere"));
  await t.rejects(readModel(path, { lazyAbove }), { code: "HALP_EXTERNAL_DATA_MISSING" });
});

t.test("a session of files gives what one of bytes gives, here and in another process", async (t) => {
  const network = zoo.find((n) => n.name === "chain") ?? zoo[0];
  if (!network) throw new Error("the zoo is empty");
  const stored = storeModel(network.model, 0);
  const { source } = stored;
  if (source instanceof Uint8Array) throw new Error("expected files");
  const random = seeded(1);
  const feeds = Object.fromEntries(
    Object.entries(network.inputs).map(([name, dims]) => [
      name,
      {
        dtype: "float32" as const,
        dims,
        data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random() - 0.5),
      },
    ]),
  );
  using bytes = createSession(network.model);
  using files = createSession(source);
  const timings = await measureModels([source, network.model], { samples: 3, inputs: network.inputs });
  t.equal(timings.latencies.length, 2);
  stored[Symbol.dispose]();
  t.throws(() => readFileSync(source.path), { code: "ENOENT" });
  t.same(files.run(feeds), bytes.run(feeds), "the files are gone, and the session has what it needs");
});

t.test("where temporary files cannot be written, it is said what to do", async (t) => {
  const before = process.env.TMPDIR;
  process.env.TMPDIR = join(t.testdir(), "nowhere");
  try {
    t.throws(() => storeModel(small(), 0), { code: "HALP_TEMPORARY_FILE", message: /TMPDIR/ });
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
});
