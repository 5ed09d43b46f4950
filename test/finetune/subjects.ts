/** Networks to compare two ways of training with, and what a step of each comes to. */
import fc from "fast-check";
import type { Batch } from "../../src/data/dataset.js";
import { createRandom, fillGaussian } from "../../src/data/index.js";
import { createFormChooser, createTrainer, type Trainer, type TrainerOptions } from "../../src/finetune/index.js";
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import type { Model } from "../../src/graph/ir.js";
import { float32Tensor, sizeOf } from "../../src/graph/tensors.js";
import { findOperator } from "../../src/operators/index.js";
import type { ChooseForm, FormTask } from "../../src/operators/spec.js";
import { zoo } from "../rewrite/zoo.js";

export interface Subject {
  readonly name?: string;
  readonly model: Model;
  readonly input: string;
  readonly dims: readonly number[];
  readonly classes: number;
  /** Values whose channels are scored. */
  readonly scored?: readonly string[];
}

export function trainerOf({ input, dims, model, scored = [] }: Subject, more: Partial<TrainerOptions> = {}): Trainer {
  return createTrainer({
    model,
    ...{ findOperator, inputDims: new Map([[input, dims]]), loss: [{ kind: "cross-entropy" }] },
    optimizer: { kind: "sgd", momentum: 0.9 },
    score: scored.map((value) => ({ value, axis: 1, byBatchNorm: false })),
    ...more,
  });
}

/** Undefined where this machine's runtime has no blocked layout. */
export const { blockSize } = createFormChooser(17, 1, new Map()).choose;
/** Takes the blocked form of everything that has one. */
export const inBlocks: ChooseForm = Object.assign(
  (task: FormTask) => ["samples as channels", "to blocks", "blocks"].find((form) => form in task.forms) ?? "plain",
  { blockSize },
);

/** The greatest magnitude. */
export const most = (data: Iterable<number>) => [...data].reduce((a, v) => Math.max(a, Math.abs(v)), 0);

/** Everything that a step comes to. */
export function outcome(trainer: Trainer, batch: Batch): ReadonlyMap<string, Float32Array> {
  const { loss, scores } = trainer.step([batch], 0.1);
  const tensors = [...trainer.tensors()].map(([name, { data }]) => [name, Float32Array.from(data)] as const);
  return new Map([...tensors, ...scores, ["loss", Float32Array.of(loss)]]);
}

/** Those of the zoo that take images and give the scores of classes. */
export function classifiers(): Subject[] {
  return zoo.flatMap(({ inputs, model, name }) => {
    const [input = "", dims = []] = Object.entries(inputs)[0] ?? [];
    const { types } = analyzeGraph(model, findOperator, { inputDims: new Map([[input, dims]]) });
    const [output, ...others] = model.graph.outputs;
    const [, classes = 0, ...rest] = types.get(output?.name ?? "")?.dims ?? [];
    const fits = Object.keys(inputs).length === 1 && dims.length === 4 && others.length === 0;
    return fits && classes >= 2 && rest.length === 0 ? [{ name, model, input, dims, classes }] : [];
  });
}

/** What comes next: an operation, and whose result it works on (of those of the same dims). */
const steps = [
  "conv",
  "conv",
  "each",
  "wide conv",
  "down",
  "norm",
  "norm",
  "act",
  "act",
  "act",
  "identity",
  "add",
  "mul",
  "gate",
  "sub",
  "scale",
  "pool",
  "concat",
] as const;
type Step = (typeof steps)[number];

export interface Drawn {
  readonly batch: number;
  readonly channels: number;
  readonly size: number;
  readonly chain: readonly (readonly [Step, number, number])[];
}

/** Images of [batch, 3, size, size] through drawn operations, and a mean. */
export function drawnNetwork({ batch, chain, channels, size }: Drawn): Subject {
  const g = new GraphBuilder();
  const random = createRandom(7);
  const weight = (name: string, dims: readonly number[], scale = 1) =>
    g.initializer(
      float32Tensor(g.freshName(name), dims, fillGaussian(new Float32Array(sizeOf(dims)), random, 0, scale)),
    );
  const scored: string[] = [];
  const conv = (x: string, from: number, to: number, kernel: number, stride = 1, biased = false, groups = 1) => {
    const w = weight("weight", [to, from / groups, kernel, kernel], Math.sqrt(2 / (from * kernel * kernel)));
    const out = g.node("Conv", [x, w, ...(biased ? [weight("bias", [to], 0.1)] : [])], {
      pads: attr.ints(new Array(4).fill((kernel - 1) >> 1)),
      strides: attr.ints([stride, stride]),
      group: attr.int(groups),
    });
    scored.push(out);
    return out;
  };
  let [now, rows] = [channels, size];
  let same = [conv(g.input("x", ["batch", 3, size, size]), 3, now, 3)];
  for (const [step, choice, other] of chain) {
    const [x, y] = [choice, other].map((n) => same.at(-1 - (n % Math.min(3, same.length)))) as [string, string];
    const only = (value: string, to = now) => {
      [same, now] = [[value], to];
    };
    if (step === "conv") same.push(conv(x, now, now, 2 * (other % 2) + 1, 1, other % 3 === 0));
    else if (step === "each") same.push(conv(x, now, now, 3, 1, other % 3 === 0, now));
    else if (step === "wide conv") only(conv(x, now, 3 + (other % 40), 3), 3 + (other % 40));
    else if (step === "down" && rows >= 4) {
      rows = (rows + 1) >> 1;
      only(conv(x, now, now, 3, 2));
    } else if (step === "norm") {
      // Of a convolution: one norm after another leaves gradients that are nothing but rounding.
      const normed = scored.includes(x) ? x : conv(x, now, now, 1);
      const [ones, zeros] = [1, 0].map((v) => float32Tensor(g.freshName("stat"), [now], new Float32Array(now).fill(v)));
      const [mean, variance] = [zeros, ones].map((s) => g.initializer(s as ReturnType<typeof float32Tensor>)) as [
        string,
        string,
      ];
      same.push(
        g.node(
          "BatchNormalization",
          [normed, weight("scale", [now]), weight("shift", [now]), mean, variance],
          // Channels that died have no variance: with the usual 1e-5 their rounding would be made three hundred times as large.
          { epsilon: attr.float(0.1) },
        ),
      );
    } else if (step === "act") {
      const kinds = ["Tanh", "Sigmoid", "LeakyRelu", "HardSwish", "Elu", "Softplus"];
      same.push(g.node(other % 2 === 0 ? "Relu" : (kinds[other % 6] as string), [x]));
    } else if (step === "identity") same.push(g.node("Identity", [x]));
    else if (step === "add") same.push(g.node("Add", [x, y]));
    else if (step === "sub") same.push(g.node("Sub", [x, g.node("Tanh", [y])]));
    else if (step === "mul") same.push(g.node("Mul", [x, g.node("Tanh", [y])]));
    else if (step === "scale") same.push(g.node(other % 2 ? "Mul" : "Add", [x, weight("factor", [1, now, 1, 1])]));
    else if (step === "gate")
      same.push(g.node("Mul", [x, g.node("Sigmoid", [conv(g.node("GlobalAveragePool", [y]), now, now, 1)])]));
    else if (step === "pool" && rows >= 2) {
      rows = rows >> 1;
      only(
        g.node(other % 2 ? "MaxPool" : "AveragePool", [x], {
          kernel_shape: attr.ints([2, 2]),
          strides: attr.ints([2, 2]),
        }),
      );
    } else if (step === "concat" && now < 30) only(g.node("Concat", [x, y], { axis: attr.int(1) }), 2 * now);
  }
  const pooled = g.node("Flatten", [g.node("GlobalAveragePool", [same.reduce((a, b) => g.node("Add", [a, b]))])]);
  g.output(g.node("Gemm", [pooled, weight("head", [4, now], 0.3), weight("head.bias", [4])], { transB: attr.int(1) }), [
    "batch",
    4,
  ]);
  return { model: g.model({ opset: 17 }), input: "x", dims: [batch, 3, size, size], classes: 4, scored };
}

export const anyDrawn: fc.Arbitrary<Drawn> = fc.record({
  batch: fc.constantFrom(4, 8, 16),
  channels: fc.oneof(fc.integer({ min: 2, max: 20 }), fc.constantFrom(8, 16, 32)),
  size: fc.integer({ min: 5, max: 9 }),
  chain: fc.array(fc.tuple(fc.constantFrom(...steps), fc.nat(9), fc.nat(99)), { minLength: 2, maxLength: 14 }),
});
