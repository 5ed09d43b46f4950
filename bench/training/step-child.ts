/** A process that trains one of the networks with halp, step by step as it is told. */
import { resourceUsage } from "node:process";
import { createFormChooser, createTrainer, openPasser, type Passer, type Trainer } from "../../src/finetune/index.js";
import { opsetOf } from "../../src/graph/ir.js";
import { removeDeadNodes } from "../../src/graph/topology.js";
import { encodeModel } from "../../src/onnx/index.js";
import { findOperator } from "../../src/operators/index.js";
import { createSession, floatTensor, type Session, serveParent, uniform } from "../../src/runtime/index.js";
import { subjects, type TrainingSubject } from "./networks.js";

export interface StepTask {
  readonly name: string;
  readonly threads: number;
  /** Plain forms only. */
  readonly plain: boolean;
  readonly recompute?: boolean;
}
export interface StepAnswer {
  readonly seconds: number;
  /** Of this process, at most so far. */
  readonly bytes: number;
}

let trainer: Trainer;
/** Opened when they are first asked for, so that memory before that is that of steps. */
let session: Session | undefined;
let forwardAlone: Passer | undefined;
let network: TrainingSubject;
let threads: number;
let images: Float32Array;
let labels: Int32Array;
let dims: readonly number[];

serveParent({
  open: (task: StepTask): { readonly parameters: number; readonly trials: number } => {
    const subject = subjects.find((s) => s.name === task.name);
    if (!subject) throw new RangeError(`There is no network ${task.name}.`);
    network = subject;
    threads = task.threads;
    const model = subject.model();
    dims = subject.dims;
    const chooser = createFormChooser(opsetOf(model), threads, new Map());
    trainer = createTrainer({
      model,
      inputDims: new Map([["x", dims]]),
      findOperator,
      loss: [{ kind: "cross-entropy" }],
      optimizer: { kind: "sgd", momentum: 0.9, weightDecay: 5e-4 },
      threads,
      ...(task.recompute ? { recompute: true } : {}),
      ...(task.plain ? {} : { choose: chooser.choose }),
    });
    const next = uniform(2);
    images = Float32Array.from({ length: dims.reduce((a, b) => a * b) }, () => 2 * next() - 1);
    labels = Int32Array.from({ length: dims[0] ?? 1 }, (_, i) => i % 10);
    return { parameters: trainer.parameterCount, trials: chooser.tried };
  },
  forward: (): StepAnswer => {
    session ??= createSession(network.model(), { threads });
    const { run } = session;
    return timed(() => run({ x: floatTensor(images, dims) }));
  },
  trainingForward: (): StepAnswer => {
    const weights = trainer.weights();
    forwardAlone ??= openForward();
    const { pass } = forwardAlone;
    return timed(() => pass({ images, dims, labels }, weights));
  },
  step: (): StepAnswer => timed(() => trainer.step([{ images, dims, labels }], 0.01)),
});

/** What a step does up to the loss. */
function openForward(): Passer {
  const { graph: model, recipe } = trainer;
  const kept = new Set([recipe.loss, ...recipe.terms, recipe.logits]);
  const outputs = model.graph.outputs.filter(({ name }) => kept.has(name));
  const graph = removeDeadNodes({ ...model.graph, outputs });
  return openPasser(encodeModel({ ...model, graph }), { ...recipe, gradients: [], scores: [] }, threads);
}

function timed(work: () => unknown): StepAnswer {
  const start = process.hrtime.bigint();
  work();
  return { seconds: Number(process.hrtime.bigint() - start) / 1e9, bytes: resourceUsage().maxRSS * 1024 };
}
