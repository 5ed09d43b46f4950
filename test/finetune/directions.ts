/** Gradients of training graphs against differences of the loss. */
import type { Test } from "tap";
import type { Batch } from "../../src/data/dataset.js";
import { createRandom } from "../../src/data/index.js";
import { createTrainer, type Optimizer, type Trainer, type TrainerOptions } from "../../src/finetune/index.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import type { Model } from "../../src/graph/ir.js";
import { findOperator } from "../../src/operators/index.js";

/** Gradient descent and nothing else. */
const plain: Optimizer = { kind: "sgd" };

/** By cross-entropy and plain descent, unless told otherwise. */
export function trainerOf(model: Model, batch: number, options: Partial<TrainerOptions> = {}): Trainer {
  const { inputDims } = analyzeGraph(model, findOperator, { batch });
  return createTrainer({
    model,
    inputDims,
    findOperator,
    loss: [{ kind: "cross-entropy" }],
    optimizer: plain,
    ...options,
  });
}

export const copyOf = (trainer: Trainer) =>
  new Map([...trainer.tensors()].map(([name, { dims, data }]) => [name, { dims, data: Float32Array.from(data) }]));

/** Steps without momentum at rate 1 change the weights by their gradient: held against differences of the loss. */
export async function checkDirections(
  t: Pick<Test, "ok">,
  trainer: Trainer,
  batches: readonly Batch[],
  weights: RegExp,
): Promise<void> {
  const start = copyOf(trainer);
  const { loss } = trainer.step(batches, 1);
  const after = copyOf(trainer);
  const learnt = [...start.keys()].filter((name) => weights.test(name));
  t.ok(learnt.length > 0);
  for (const name of learnt)
    for (let seed = 0; seed < 2; seed++) {
      const { dims, data } = start.get(name)!;
      const random = createRandom(seed);
      const direction = Float32Array.from(data, () => random.gaussian());
      let slope = 0;
      data.forEach((w, i) => {
        slope += (w - after.get(name)!.data[i]!) * direction[i]!;
      });
      const lossAt = (h: number) => {
        const moved = data.map((w, i) => w + h * direction[i]!);
        trainer.load(new Map(start).set(name, { dims, data: moved }), 0);
        return trainer.step(batches, 0).loss;
      };
      const h = 0.02;
      const expected = (8 * (lossAt(h) - lossAt(-h)) - (lossAt(2 * h) - lossAt(-2 * h))) / (12 * h);
      t.ok(
        Math.abs(slope - expected) < 2e-3 * Math.max(1, loss, Math.abs(expected)),
        `${name}: ${slope} by the graph, ${expected} by differences`,
      );
    }
}
