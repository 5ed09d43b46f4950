/** Whatever form a layer is computed in, a step of training comes to the same; and a form that computes something else is not taken. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import t from "tap";
import { createRandom, fillGaussian } from "../../src/data/index.js";
import { createFormChooser, createTrainer, readForms, writeForms } from "../../src/finetune/index.js";
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import type { Model } from "../../src/graph/ir.js";
import { float32Tensor, sizeOf } from "../../src/graph/tensors.js";
import { fromBlocks, toBlocks } from "../../src/operators/blocks.js";
import { findOperator } from "../../src/operators/index.js";
import type { ChooseForm, FormTask } from "../../src/operators/spec.js";
import { patternBatch } from "./networks.js";

const opset = 17;

interface Geometry {
  /** Each channel by itself: as many outputs as inputs. */
  readonly byItself: boolean;
  readonly batch: number;
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: readonly [number, number];
  readonly stride: number;
  readonly dilation: number;
  readonly pads: readonly [number, number, number, number];
  readonly bias: boolean;
}

/** A convolution of any geometry between one that makes its channels and a mean: [batch, 2, rows, 8] to [batch, outputs]. */
function network({ bias, byItself, dilation, inputs, kernel, outputs, pads, rows, stride }: Geometry): Model {
  const g = new GraphBuilder();
  const random = createRandom(7);
  const weight = (name: string, dims: readonly number[]) =>
    g.initializer(float32Tensor(name, dims, fillGaussian(new Float32Array(sizeOf(dims)), random, 0, 0.4)));
  const first = g.node("Conv", [g.input("x", ["batch", 2, rows, 8]), weight("first.weight", [inputs, 2, 1, 1])]);
  const layer = g.node(
    "Conv",
    [
      g.node("Tanh", [first]),
      weight("layer.weight", [outputs, byItself ? 1 : inputs, ...kernel]),
      ...(bias ? [weight("layer.bias", [outputs])] : []),
    ],
    {
      strides: attr.ints([stride, stride]),
      dilations: attr.ints([dilation, dilation]),
      pads: attr.ints(pads),
      group: attr.int(byItself ? inputs : 1),
    },
  );
  const mean = g.node("GlobalAveragePool", [g.node("Tanh", [layer])]);
  g.output(g.node("Flatten", [mean], {}, { outputs: ["logits"] }), ["batch", outputs]);
  return g.model({ opset });
}

function weightsAfterAStep({ batch, outputs, rows }: Geometry, model: Model, choose?: ChooseForm) {
  const { inputDims } = analyzeGraph(model, findOperator, { batch });
  const loss = [{ kind: "cross-entropy" }] as const;
  using trainer = createTrainer({
    model,
    inputDims,
    findOperator,
    loss,
    optimizer: { kind: "sgd" },
    ...(choose ? { choose } : {}),
  });
  trainer.step([patternBatch([batch, 2, rows, 8], outputs, 3)], 1);
  return new Map([...trainer.tensors()].map(([name, { data }]) => [name, Float32Array.from(data)]));
}

const { blockSize } = createFormChooser(opset, 1, new Map()).choose;

t.test("every form comes to the same step", async (t) => {
  const side = fc.integer({ min: 0, max: 2 });
  const seen = new Map<string, number>();
  /** One tap, two steps at once: seldom drawn. */
  const shortcut: Geometry = {
    ...{ batch: 16, rows: 8, inputs: 20, outputs: 17, bias: false, byItself: false },
    ...{ kernel: [1, 1], stride: 2, dilation: 1, pads: [0, 0, 0, 0] },
  };
  fc.assert(
    fc.property(
      fc.record({
        batch: fc.constantFrom(3, 4, 8, 16, 48),
        rows: fc.integer({ min: 8, max: 11 }),
        inputs: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.constantFrom(8, 16, 32)),
        outputs: fc.integer({ min: 2, max: 33 }),
        kernel: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
        stride: fc.integer({ min: 1, max: 2 }),
        dilation: fc.integer({ min: 1, max: 2 }),
        pads: fc.tuple(side, side, side, side),
        bias: fc.boolean(),
        byItself: fc.boolean(),
      }),
      (drawn) => {
        const byItself = drawn.byItself && drawn.inputs > 1;
        const geometry = { ...drawn, byItself, outputs: byItself ? drawn.inputs : drawn.outputs };
        const model = network(geometry);
        const names = new Set<string>();
        const plainly = (task: FormTask) => {
          for (const name of Object.keys(task.forms)) names.add(name);
          return "plain";
        };
        const expected = weightsAfterAStep(geometry, model, Object.assign(plainly, { blockSize }));
        names.delete("plain");
        for (const name of names) {
          seen.set(name, (seen.get(name) ?? 0) + 1);
          const forced = (task: FormTask) => (name in task.forms ? name : "plain");
          const force = Object.assign(forced, { blockSize });
          for (const [weight, data] of weightsAfterAStep(geometry, model, force)) {
            const plain = expected.get(weight)!;
            data.forEach((v, i) => {
              if (Math.abs(v - plain[i]!) > 2e-5) throw new Error(`${name}, ${weight}[${i}]: ${v}, not ${plain[i]}`);
            });
          }
        }
      },
    ),
    { numRuns: 80, examples: [[shortcut], [{ ...shortcut, inputs: 3, pads: [0, 0, 1, 1] }]] },
  );
  const expected = [
    "rows moved",
    "samples in rows",
    ...(blockSize === undefined ? [] : ["blocks", "to blocks", "samples as channels"]),
  ];
  t.ok(
    expected.every((name) => (seen.get(name) ?? 0) > 5),
    `tried: ${[...seen].join("; ")}`,
  );
});

const taskOf = (forms: FormTask["forms"]): FormTask => ({
  key: "test",
  inputs: [{ value: "x", dims: [64, 64] }],
  forms,
});
const twice: FormTask["forms"][string] = (e, [x = ""]) => e.add(x, x);
const slowly: FormTask["forms"][string] = (e, [x = ""]) => {
  let y = e.add(x, x);
  for (let i = 0; i < 400; i++) y = e.op("Tan", [e.op("Atan", [y])]);
  return y;
};

t.test("the fastest form is taken that computes the same and that the runtime knows", async (t) => {
  const chooser = createFormChooser(opset, 1, new Map());
  const forms = {
    slowly,
    wrong: ((e, [x = ""]) => e.op("Neg", [x])) as typeof twice,
    unknown: ((e, [x = ""]) => e.op("NoSuchOperator", [x])) as typeof twice,
    twice,
  };
  t.equal(chooser.choose(taskOf(forms)), "twice");
  t.equal(chooser.tried, 1);
  t.equal(chooser.choose(taskOf(forms)), "twice");
  t.equal(chooser.tried, 1, "once for a configuration");
  t.equal(chooser.choose(taskOf({ only: slowly })), "only");
  t.equal(chooser.tried, 1, "nothing to choose");

  const [key = ""] = chooser.chosen.keys();
  const told = createFormChooser(opset, 1, new Map([[key, "wrong"]]));
  t.equal(told.choose(taskOf(forms)), "wrong", "what is known is not tried again");
  t.equal(told.tried, 0);
  const outdated = createFormChooser(opset, 1, new Map([[key, "of an older halp"]]));
  t.equal(outdated.choose(taskOf(forms)), "twice");
});

t.test(
  "images are tried as they lie among nodes that keep them in blocks",
  { skip: blockSize === undefined },
  async (t) => {
    const channels = 20;
    const inBlocks: typeof twice = (e, [x = ""]) => fromBlocks(e, twice(e, [toBlocks(e, x, channels)]), channels);
    const inputs = [{ value: "x", dims: [4, channels, 8, 8], isImages: true }];
    const task = { ...taskOf({ slowly, inBlocks }), inputs, images: channels };
    t.equal(createFormChooser(opset, 1, new Map()).choose(task), "inBlocks", "it comes to the same, and was faster");
    const one = { ...task, inputs: [{ value: "x", dims: [4, 1, 8, 8], isImages: true }], images: 1 };
    t.equal(createFormChooser(opset, 1, new Map()).choose({ ...one, forms: { slowly, twice } }), "twice");
  },
);

t.test("what was chosen is kept; a file that halp did not write is tried anew", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "halp-forms-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "forms.json");
  t.equal((await readForms(path)).size, 0);
  const forms = new Map([
    ["b", "plain"],
    ["a", "rows moved"],
  ]);
  await writeForms(path, forms);
  t.same(new Map(await readForms(path)), forms);
  t.same(await readdir(folder), ["forms.json"]);
  for (const text of ["", "{", '{"format":"halp.forms/1","forms":{"a":"b"}}', "null"]) {
    await writeFile(path, text);
    t.equal((await readForms(path)).size, 0, text);
  }
});
