/** What memory a training holds, and when it gives back what is free. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pid } from "node:process";
import { setTimeout } from "node:timers/promises";
import t from "tap";
import { createTrainer, openTraining, type Recipe, returnsMemory } from "../../src/finetune/index.js";
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Model } from "../../src/graph/ir.js";
import { float32Tensor, sizeOf } from "../../src/graph/tensors.js";
import { decodeModel, encodeModel } from "../../src/onnx/index.js";
import { findOperator } from "../../src/operators/index.js";
import { collectGarbage, weightBytes } from "../../src/runtime/index.js";

/** Two linear layers of so many channels. Input [N, 4], 3 classes. */
function wideNetwork(channels: number): Model {
  const g = new GraphBuilder();
  const linear = (x: string, name: string, dims: readonly [number, number]) => {
    const values = Float32Array.from({ length: sizeOf(dims) }, (_, i) => ((i % 13) - 6) / dims[1]);
    return g.node("Gemm", [x, g.initializer(float32Tensor(name, dims, values))], { transB: attr.int(1) });
  };
  const x = g.input("x", ["batch", 4]);
  const first = g.node("Relu", [linear(x, "first", [channels, 4])]);
  const second = g.node("Relu", [linear(first, "second", [channels, channels])]);
  const third = g.node("Relu", [linear(second, "third", [channels, channels])]);
  g.output(linear(third, "last", [3, channels]), ["batch", 3]);
  return g.model({ opset: 17 });
}

const sgd: Recipe = {
  loss: [{ kind: "cross-entropy" }],
  optimizer: { kind: "sgd", momentum: 0.9 },
  schedule: { kind: "constant", learningRate: 0.01 },
};
const recomputing: Recipe = { ...sgd, recompute: true };
/** Of this process, in the order in which they began. */
const children = `/proc/self/task/${pid}/children`;

t.test("only trainings that recompute, of large weights, do", async (t) => {
  const [large, small] = [wideNetwork(3072), wideNetwork(300)];
  t.equal(returnsMemory(recomputing, large), true);
  t.equal(returnsMemory(recomputing, small), false);
  t.equal(returnsMemory(sgd, large), false);
});

t.test("it takes less, and learns the same", { skip: !existsSync(children) && "needs Linux's /proc" }, async (t) => {
  const path = join(
    t.testdir({
      "data.mjs": `export default function* () {
        for (;;) yield { images: Float32Array.of(1, 2, 3, 4, 4, 3, 2, 1), dims: [2, 4], labels: [0, 2] };
      }`,
    }),
    "data.mjs",
  );
  const model = wideNetwork(3072);
  const megabytesOfWeights = weightBytes(model) / 1e6;
  const runs = [];
  for (const recipe of [sgd, recomputing]) {
    using training = await openTraining({
      ...{ model, recipe, threads: 1 },
      inputDims: new Map([["x", [2, 4]]]),
      loader: { dataset: { path }, batchSize: 2, seed: 1, limit: 6 },
    });
    const { loss } = await training.train({ epoch: 0, from: 0, step: 0, totalSteps: 3, steps: 3, maxMs: 60_000 });
    runs.push({ loss, megabytes: peakOf(readFileSync(children, "utf8").trim().split(" ").at(-1) ?? "") });
  }
  const [plain, sparing] = runs as [(typeof runs)[0], (typeof runs)[0]];
  t.ok(Number.isFinite(plain.loss));
  t.equal(sparing.loss, plain.loss);
  const less = (plain.megabytes - sparing.megabytes) / megabytesOfWeights;
  t.ok(less > 1.5, `${plain.megabytes} and ${sparing.megabytes} MB: ${less.toFixed(1)} times the weights less`);
});

t.test("a trainer holds nothing of the files that it was made from", async (t) => {
  const [trainer, file, teacher] = trainerOfFiles();
  const batch = { images: Float32Array.of(1, 2, 3, 4, 4, 3, 2, 1), dims: [2, 4] };
  trainer.step([batch], 0.01);
  // What a WeakRef was asked for, or made for, lives until this task ends.
  for (let i = 0; i < 20 && (file.deref() || teacher.deref()); i++) {
    await setTimeout(10);
    collectGarbage();
  }
  t.equal(file.deref(), undefined);
  t.equal(teacher.deref(), undefined);
  t.ok(trainer.step([batch], 0.01).finite);
  t.equal(trainer.model().graph.initializers.length, 4);
  trainer[Symbol.dispose]();
});

/** A function, so that nothing but the trainer is left. */
function trainerOfFiles() {
  const [file, teacher] = [encodeModel(wideNetwork(30)), encodeModel(wideNetwork(40))];
  const trainer = createTrainer({
    model: decodeModel(file),
    teacher: decodeModel(teacher),
    inputDims: new Map([["x", [2, 4]]]),
    findOperator,
    loss: [{ kind: "outputs" }],
    optimizer: sgd.optimizer,
  });
  return [trainer, new WeakRef(file.buffer), new WeakRef(teacher.buffer)] as const;
}

/** Megabytes that a process took at most. */
function peakOf(process: string): number {
  const [, kilobytes] = /^VmHWM:\s*(\d+) kB/m.exec(readFileSync(`/proc/${process}/status`, "utf8")) ?? [];
  return Math.round(Number(kilobytes) / 1e3);
}
