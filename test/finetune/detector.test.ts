/** Losses that teach a detector what another finds. */
import t from "tap";
import { createRandom } from "../../src/data/index.js";
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Model } from "../../src/graph/ir.js";
import { float32Tensor, int64Tensor, sizeOf } from "../../src/graph/tensors.js";
import { createSession, floatsOf, floatTensor } from "../../src/runtime/index.js";
import { checkDirections, trainerOf } from "./directions.js";
import { patternBatch } from "./networks.js";

/** x [N, 4] -> anchors of [N, 3, 4], and scores [N, 3, C] that are probabilities. */
function detector(seed: number, batch: number, classes: number): Model {
  const b = new GraphBuilder();
  const random = createRandom(seed);
  const weight = (name: string, dims: readonly number[]) =>
    b.initializer(
      float32Tensor(
        name,
        dims,
        Float32Array.from({ length: sizeOf(dims) }, () => random.gaussian() * 0.5),
      ),
    );
  const rows = (x: string, width: number) =>
    b.node("Reshape", [x, b.initializer(int64Tensor(b.freshName("rows"), [3], [batch, 3, width]))]);
  const x = b.input("x", [batch, 4]);
  const hidden = b.node("Tanh", [b.node("MatMul", [x, weight("w1", [4, 6])])]);
  const raw = rows(b.node("MatMul", [hidden, weight("w2", [6, 3 * classes])]), classes);
  const scores =
    classes === 1
      ? b.node("Sigmoid", [raw], {}, { outputs: ["scores"] })
      : b.node("Softmax", [raw], { axis: attr.int(2) }, { outputs: ["scores"] });
  const flat = b.node("MatMul", [hidden, weight("w3", [6, 12])]);
  const boxes = b.node(
    "Reshape",
    [flat, b.initializer(int64Tensor("four", [3], [batch, 3, 4]))],
    {},
    { outputs: ["boxes"] },
  );
  b.output(scores, [batch, 3, classes]);
  b.output(boxes, [batch, 3, 4]);
  return b.model();
}

t.test("distillation of a detector: scores, and boxes where the teacher finds something", async (t) => {
  const batch = { images: patternBatch([2, 4], 2, 3).images, dims: [2, 4] };
  for (const [classes, background] of [
    [2, 0],
    [3, 2],
    [3, "none"],
    [1, 0],
  ] as const) {
    const [model, teacher] = [detector(1, 2, classes), detector(2, 2, classes)];
    const run = (m: Model) => {
      using session = createSession(m);
      const { scores, boxes } = session.run({ x: floatTensor(batch.images, batch.dims) });
      return { s: floatsOf(scores!), b: floatsOf(boxes!) };
    };
    const [own, wanted] = [run(model), run(teacher)];
    let found = 1;
    let divergence = 0;
    let distance = 0;
    for (let anchor = 0; anchor < 6; anchor++) {
      let mass = 0;
      for (let c = 0; c < classes; c++) {
        const [p, q] = [wanted.s[anchor * classes + c]!, own.s[anchor * classes + c]!];
        if (classes === 1 || c !== background) mass += p;
        divergence += p * Math.log(p / q) + (classes === 1 ? (1 - p) * Math.log((1 - p) / (1 - q)) : 0);
      }
      found += mass;
      for (let k = 0; k < 4; k++) distance += (mass * (own.b[anchor * 4 + k]! - wanted.b[anchor * 4 + k]!) ** 2) / 4;
    }
    const loss = (weight: number) =>
      [
        { kind: "scores", scores: "scores", background },
        { kind: "boxes", boxes: "boxes", scores: "scores", background, weight },
      ] as const;
    using trainer = trainerOf(model, 2, { loss: loss(0.5), teacher });
    const expected = (divergence + 0.5 * distance) / found;
    const { loss: value } = trainer.step([batch], 0);
    t.ok(
      Math.abs(value - expected) < 1e-4 * expected,
      `${classes} classes, background ${background}: ${value}, ${expected}`,
    );
    t.equal(trainer.labelled, false);
    await checkDirections(t, trainer, [batch], /^w/);
    using same = trainerOf(teacher, 2, { loss: loss(1), teacher });
    t.ok(Math.abs(same.step([batch], 0).loss) < 1e-5, "nothing to learn from itself");
  }
  const model = detector(1, 2, 2);
  for (const [loss, message] of [
    [{ kind: "scores", scores: "score" }, /did you mean "scores"/],
    [{ kind: "scores", scores: "scores", background: 2 }, /classes 0 to 1/],
    [{ kind: "boxes", boxes: "scores", scores: "boxes" }, /"scores" is \[2, 3, 2\]/],
  ] as const)
    t.throws(() => trainerOf(model, 2, { loss: [loss], teacher: model }), { code: "HALP_LOSS", message });
});
