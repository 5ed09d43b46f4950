/** Pruning with training between the steps, and fine-tuning; stopped and taken up again. */
import { existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { createRandom, fillGaussian } from "../../src/data/index.js";
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { float32Of, float32Tensor, sizeOf } from "../../src/graph/tensors.js";
import { readModel, writeModel } from "../../src/onnx/index.js";
import { type FinetuneOptions, finetune, type PruneOptions, prune } from "../../src/pipeline/index.js";
import { ownCache } from "../cli/own-cache.js";
import { writeSmallData } from "../cli/small-data.js";
import { bytesOf, npyBytes, patternBytes, pngBytes } from "../data/files.js";
import { patternBatch } from "../finetune/networks.js";
import { residualNet } from "./networks.js";

const folder = t.testdir();
const cacheDir = await ownCache(join(folder, "cache"));
const data = join(folder, "data");
mkdirSync(data);
writeSmallData(data, 96, 5);

const model = join(folder, "net.onnx");
const fixed = residualNet(8);
const open = (list: typeof fixed.graph.inputs) =>
  list.map((v) => ({ ...v, dims: ["batch", ...(v.dims ?? []).slice(1)] }));
await writeModel(
  { ...fixed, graph: { ...fixed.graph, inputs: open(fixed.graph.inputs), outputs: open(fixed.graph.outputs) } },
  model,
);

const recipe = {
  optimizer: { kind: "sgd", momentum: 0.9, weightDecay: 5e-4 },
  schedule: { kind: "cosine", learningRate: 0.02 },
} as const;

async function weightsOf(path: string): Promise<Record<string, number[]>> {
  const { graph } = await readModel(path);
  const floats = graph.initializers.filter((w) => w.dtype === "float32");
  return Object.fromEntries(floats.map((w) => [w.name, [...float32Of(w)]]));
}

const trainings: FinetuneOptions = {
  model,
  data: { path: data },
  output: join(folder, "whole.onnx"),
  runFolder: join(folder, "whole"),
  epochs: 3,
  recipe,
  batch: 16,
  augment: { flip: true },
  checkpointMs: 0,
  // Runs that share a cache compute each layer in the same form, and so to the last bit alike.
  cacheDir,
};

t.test("a training that was stopped ends with the same weights", async (t) => {
  const whole = await finetune(trainings);
  t.equal(whole.log.length, 3);
  t.ok((whole.log[2]?.loss ?? 9) < (whole.log[0]?.loss ?? 0), "it learns");
  const options = { ...trainings, output: join(folder, "stopped.onnx"), runFolder: join(folder, "stopped") };
  const controller = new AbortController();
  await t.rejects(
    finetune({ ...options, signal: controller.signal, onEpoch: ({ epoch }) => epoch === 2 && controller.abort() }),
    { name: "AbortError" },
  );
  const resumed = await finetune({ ...options, resume: true });
  t.same(
    resumed.log.map((line) => line.loss),
    whole.log.map((line) => line.loss),
  );
  t.same(await weightsOf(options.output), await weightsOf(trainings.output));
  await t.rejects(finetune({ ...options, runFolder: join(folder, "empty"), resume: true }), {
    code: "HALP_CHECKPOINT",
  });
});

t.test("a training that computes the forward pass again ends with the same weights but for rounding", async (t) => {
  const options = { ...trainings, output: join(folder, "again.onnx"), runFolder: join(folder, "again") };
  const { log } = await finetune({ ...options, recipe: { ...recipe, recompute: true } });
  t.equal(log.length, 3);
  const [again, whole] = [await weightsOf(options.output), await weightsOf(trainings.output)];
  t.same(Object.keys(again), Object.keys(whole));
  const apart = Object.entries(whole).flatMap(([name, list]) =>
    list.map((v, i) => Math.abs(v - (again[name]?.[i] ?? 9))),
  );
  t.ok(Math.max(...apart) < 1e-3, `${Math.max(...apart)}`);
});

t.test(
  "a file that is broken in the middle of an epoch ends the training with the steps before it saved",
  async (t) => {
    const photos = join(folder, "photos");
    for (const name of ["train/0", "train/1", "test/0", "test/1"]) {
      mkdirSync(join(photos, name), { recursive: true });
      for (let i = 0; i < 48; i++) {
        const png = await pngBytes(8, 8, 3, patternBytes(192, 7 * i + (name.endsWith("0") ? 0 : 100)));
        writeFileSync(join(photos, name, `${i}.png`), png);
      }
    }
    const options = (name: string): FinetuneOptions => ({
      ...trainings,
      data: { path: photos },
      output: join(folder, `${name}.onnx`),
      runFolder: join(folder, name),
      batch: 4,
      // No checkpoint but those that must be.
      checkpointMs: 1e9,
    });
    await finetune(options("photos-whole"));
    const broken = join(photos, "train", "1", "20.png");
    const whole = readFileSync(broken);
    truncateSync(broken, 60);
    let steps = 0;
    const onProgress = (p: { readonly phase: string; readonly done: number }) => {
      if (p.phase.startsWith("epoch 1 of")) steps = p.done;
    };
    await t.rejects(finetune({ ...options("photos"), onProgress }), { code: "HALP_DATA_FORMAT", file: broken });
    t.ok(steps > 0 && steps < 24, `after ${steps} of 24 steps`);
    t.ok(existsSync(join(folder, "photos", "checkpoint.safetensors")));
    await t.rejects(finetune({ ...options("photos"), resume: true, onProgress }), { code: "HALP_DATA_FORMAT" });
    writeFileSync(broken, whole);
    await finetune({ ...options("photos"), resume: true });
    t.same(await weightsOf(join(folder, "photos.onnx")), await weightsOf(join(folder, "photos-whole.onnx")));
  },
);

t.test("a segmenter learns masks by a loss of its own", async (t) => {
  const masks = join(folder, "masks");
  mkdirSync(masks);
  for (const [part, seed] of [
    ["train", 1],
    ["test", 2],
  ] as const) {
    const { images } = patternBatch([48, 3, 8, 8], 5, seed, 1);
    // Whether the sum of the channels is positive at each place.
    const mask = Float32Array.from({ length: 48 * 64 }, (_, i) => {
      const at = Math.floor(i / 64) * 192 + (i % 64);
      return (images[at] ?? 0) + (images[at + 64] ?? 0) + (images[at + 128] ?? 0) > 0 ? 1 : 0;
    });
    writeFileSync(join(masks, `x_${part}.npy`), npyBytes("<f4", [48, 3, 8, 8], bytesOf(images)));
    writeFileSync(join(masks, `y_${part}.npy`), npyBytes("<f4", [48, 1, 8, 8], bytesOf(mask)));
  }
  const net = new GraphBuilder();
  const weight = (name: string, dims: number[]) =>
    net.initializer(float32Tensor(name, dims, fillGaussian(new Float32Array(sizeOf(dims)), createRandom(3), 0, 0.3)));
  const pads = { pads: attr.ints([1, 1, 1, 1]) };
  const hidden = net.node("Relu", [
    net.node("Conv", [net.input("x", ["n", 3, 8, 8]), weight("w1", [8, 3, 3, 3])], pads),
  ]);
  net.output(net.node("Conv", [hidden, weight("w2", [1, 8, 3, 3])], pads, { outputs: ["mask"] }), ["n", 1, 8, 8]);
  const segmenter = join(folder, "segmenter.onnx");
  await writeModel(net.model({ opset: 17 }), segmenter);
  // Binary cross-entropy of logits z and targets y: mean of log(1 + exp(z)) - y z.
  const own = new GraphBuilder();
  const z = own.input("mask", ["n", 1, "h", "w"]);
  const both = own.node("Mul", [z, own.input("labels", ["n", 1, "h", "w"])]);
  const each = own.node("Sub", [own.node("Softplus", [z]), both]);
  own.output(own.node("ReduceMean", [each], { keepdims: attr.int(0) }), []);
  const options: FinetuneOptions = {
    ...trainings,
    model: segmenter,
    data: { path: masks },
    output: join(folder, "segmenter.trained.onnx"),
    runFolder: join(folder, "segmenter"),
    loss: [{ kind: "graph", model: own.model({ opset: 17 }) }],
    epochs: 8,
    batch: 8,
    recipe: { ...recipe, schedule: { kind: "cosine", learningRate: 0.1 } },
  };
  const { augment: _, ...still } = options;
  const { log, accuracy } = await finetune(still);
  t.equal(accuracy.after, null);
  t.ok((log.at(-1)?.loss ?? 9) < 0.6 * (log[0]?.loss ?? 0), `${log[0]?.loss} to ${log.at(-1)?.loss}`);
  await t.rejects(finetune(options), { code: "HALP_DATA_OPTION", message: /would not move with an image/ });
});

/** A run of the loop on the small network; each test says how it goes about it. */
const loopOptions = (name: string) => ({
  model,
  budget: { kind: "ratio" as const, ratio: 0.6 },
  output: join(folder, `${name}.onnx`),
  runFolder: join(folder, name),
  cacheDir,
  patienceMs: 0,
  data: { path: data },
  rounds: 1,
  tolerance: 1e9,
});

t.test("the loop: training between the steps, then epochs; what comes out is what was masked", async (t) => {
  const options = (name: string): PruneOptions => ({
    ...loopOptions(name),
    steps: 3,
    training: { batchesPerStep: 4, epochs: 2, batch: 16, recipe },
  });
  const whole = await prune(options("loop"));
  t.ok(whole.maskedError < 1e-4);
  t.equal(whole.training?.log.length, 2);
  t.ok(whole.parameters.pruned < whole.parameters.dense);

  // Stopped between steps, then in the epochs: the plan and the weights are those of the run that was left alone.
  const stopped = options("loop-stopped");
  for (const [i, phase] of ["training, step 2 of 3", "epoch 2 of 2"].entries()) {
    const controller = new AbortController();
    const onProgress = (p: { readonly phase: string }) => {
      if (p.phase === phase) controller.abort();
    };
    await t.rejects(prune({ ...stopped, resume: i > 0, signal: controller.signal, onProgress }), {
      name: "AbortError",
    });
  }
  await prune({ ...stopped, resume: true });
  const plan = (name: string) => readFileSync(join(folder, name, "plan.json"), "utf8");
  t.equal(plan("loop-stopped"), plan("loop"));
  t.same(await weightsOf(stopped.output), await weightsOf(join(folder, "loop.onnx")));
});

t.test("the loop by a criterion of the weights, with a branch that goes in the first step", async (t) => {
  const options = loopOptions("weights");
  const idle = await readModel(options.model);
  const initializers = idle.graph.initializers.map((tensor) =>
    /^a[._]/.test(tensor.name) && tensor.dtype === "float32" && tensor.dims.length === 4
      ? float32Tensor(
          tensor.name,
          tensor.dims,
          float32Of(tensor).map((v) => 1e-5 * v),
        )
      : tensor,
  );
  const path = join(folder, "idle.onnx");
  await writeModel({ ...idle, graph: { ...idle.graph, initializers } }, path);
  const training = { batchesPerStep: 2, batch: 16, recipe };
  const result = await prune({
    ...options,
    model: path,
    criterion: "l1",
    steps: 3,
    training,
  });
  const first = JSON.parse(readFileSync(join(folder, "weights", "step-1.json"), "utf8"));
  t.ok(
    Object.values<{ kept: number[] }>(first.groups).some(({ kept }) => kept.length === 0),
    "a branch is gone",
  );
  t.ok(result.maskedError < 1e-4);
});

t.test(
  "the loop by distillation: the first step's network is its own teacher, and is scored as without training",
  async (t) => {
    const phases = new Set<string>();
    const options = (name: string): PruneOptions => ({
      ...loopOptions(name),
      loss: "projection",
      // In the joint form a step on the way cuts otherwise where there is training between the steps.
      mode: "halp",
      steps: 2,
      onProgress: ({ phase }) => phases.add(phase),
    });
    const training = { batchesPerStep: 4, epochs: 1, batch: 16, loss: [{ kind: "outputs" as const }], recipe };
    const whole = await prune({ ...options("distilled"), training });
    t.ok(whole.maskedError < 1e-4);
    t.ok((whole.training?.log[0]?.loss ?? 0) > 1e-4, "there is something to learn in the end");
    t.notOk(phases.has("training, step 1 of 2"));
    t.ok(phases.has("training, step 2 of 2"));
    // Trained only at the end, importance of both steps comes without.
    const after = await prune({ ...options("plain"), training: { ...training, batchesPerStep: 0 } });
    t.equal(after.training?.log.length, 1);
    const first = (name: string) => JSON.parse(readFileSync(join(folder, name, "step-1.json"), "utf8"));
    t.same(first("distilled").groups, first("plain").groups);

    // Stopped where nothing has been trained yet.
    const stopped = options("distilled-stopped");
    const controller = new AbortController();
    const onProgress = (p: { readonly phase: string }) => {
      if (p.phase === "training, step 2 of 2") controller.abort();
    };
    await t.rejects(prune({ ...stopped, training, signal: controller.signal, onProgress }), { name: "AbortError" });
    await prune({ ...stopped, training, resume: true });
    t.same(await weightsOf(stopped.output), await weightsOf(join(folder, "distilled.onnx")));
  },
);

t.test("softly: what was removed in a step may come back in the next", async (t) => {
  const options = (name: string): PruneOptions => ({
    ...loopOptions(name),
    // Drawn anew at each step: with scores it may be that none comes back.
    criterion: "random",
    steps: 4,
    training: { batchesPerStep: 2, batch: 16, soft: true, recipe },
  });
  const whole = await prune(options("soft"));
  t.ok(whole.maskedError < 1e-4);
  const removedIn = (step: number): Set<string> => {
    const { groups } = JSON.parse(readFileSync(join(folder, "soft", `step-${step}.json`), "utf8"));
    return new Set(
      Object.entries(groups as Record<string, { kept: number[]; size: number }>).flatMap(([name, { kept, size }]) =>
        Array.from({ length: size }, (_, i) => i)
          .filter((i) => !kept.includes(i))
          .map((i) => `${name} ${i}`),
      ),
    );
  };
  const steps = [1, 2, 3].map(removedIn);
  const cameBack = steps.flatMap((removed, i) => [...removed].filter((c) => steps[i + 1] && !steps[i + 1]?.has(c)));
  t.ok(cameBack.length > 0, `${cameBack.length} came back`);

  const stopped = options("soft-stopped");
  const controller = new AbortController();
  const onProgress = (p: { readonly phase: string }) => {
    if (p.phase === "training, step 3 of 4") controller.abort();
  };
  await t.rejects(prune({ ...stopped, signal: controller.signal, onProgress }), { name: "AbortError" });
  await prune({ ...stopped, resume: true });
  t.same(await weightsOf(stopped.output), await weightsOf(join(folder, "soft.onnx")));
  await t.rejects(prune({ ...stopped, training: { epochs: 1, soft: true, recipe } }), {
    code: "HALP_TRAINING_OPTION",
    message: /--train-steps/,
  });
});

t.test("softly: what is removed keeps the score it had", async (t) => {
  await prune({
    ...loopOptions("soft-scored"),
    steps: 3,
    training: { batchesPerStep: 4, batch: 16, soft: true, recipe },
  });
  const read = (name: string) => JSON.parse(readFileSync(join(folder, "soft-scored", name), "utf8"));
  const removed: Record<string, { kept: number[]; size: number }> = read("step-2.json").groups;
  const { groups } = read("search.json") as { groups: { name: string; scores: number[] }[] };
  let gone = 0;
  for (const { name, scores } of groups) {
    const { kept, size } = removed[name] ?? { kept: [], size: 0 };
    if (kept.length === size) continue;
    gone += size - kept.length;
    t.ok(scores.length === size && scores.every((s) => s > 0), `${name}: ${scores}`);
  }
  t.ok(gone > 0, `${gone} were gone in the second step`);
});

t.test("training without data, or with stand-ins, is refused", async (t) => {
  const base: PruneOptions = {
    model,
    budget: { kind: "ratio", ratio: 0.6 },
    output: join(folder, "refused.onnx"),
    runFolder: join(folder, "refused"),
    training: { epochs: 1, recipe },
  };
  await t.rejects(prune(base), { code: "HALP_DATA_MISSING" });
  await t.rejects(prune({ ...base, data: { path: data }, standIn: "mean" }), { code: "HALP_TRAINING_OPTION" });
});
