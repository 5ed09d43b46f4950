/** `halp evaluate --boxes --scores` on a small detector. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { float32Tensor, int64Tensor } from "../../src/graph/tensors.js";
import { encodeModel } from "../../src/onnx/index.js";
import { runHalp } from "./run-halp.js";

const folder = t.testdir();
const file = (name: string) => join(folder, name);

/** x [1, 3, 2, 2]: a pixel is an anchor of 10 x 10 at its place; its channel 0 is the score of an object there. */
function writeDetector(path: string, shift: number, scale: number): void {
  const b = new GraphBuilder();
  const constant = (name: string, dims: readonly number[], values: readonly number[]) =>
    b.initializer(float32Tensor(name, dims, Float32Array.from(values)));
  const x = b.input("x", [1, 3, 2, 2]);
  // Background 1 - s, object s: a convolution, whose columns then become rows.
  const weights = constant("w", [2, 3, 1, 1], [-scale, 0, 0, scale, 0, 0]);
  const maps = b.node("Conv", [x, weights, constant("bias", [2], [1, 0])], { kernel_shape: attr.ints([1, 1]) });
  const flat = b.node("Reshape", [maps, b.initializer(int64Tensor("rows", [3], [1, 2, 4]))]);
  const scores = b.node("Transpose", [flat], { perm: attr.ints([0, 2, 1]) }, { outputs: ["scores"] });
  const corners = [0, 20, 40, 60].flatMap((at) => [at + shift, 0, at + 10 + shift, 10]);
  // Added to zeros made of the input, so that it is no constant.
  const nothing = b.node("Mul", [b.node("ReduceSum", [x], { keepdims: attr.int(0) }), constant("zero", [], [0])]);
  const boxes = b.node("Add", [constant("corners", [1, 4, 4], corners), nothing], {}, { outputs: ["boxes"] });
  b.output(scores, [1, 4, 2]);
  b.output(boxes, [1, 4, 4]);
  writeFileSync(path, encodeModel(b.model()));
}

t.before(() => {
  writeDetector(file("original.onnx"), 0, 1);
  writeDetector(file("moved.onnx"), 1, 0.9);
  writeFileSync(
    file("data.mjs"),
    `export default function* () {
       for (const scores of [[0.9, 0.75, 0.1, 0], [0, 0.8, 0.9, 0.3]])
         yield { images: Float32Array.from([...scores, ...new Array(8).fill(0)]), dims: [1, 3, 2, 2] };
     }`,
  );
});

const args = (...more: readonly string[]) => [
  ...["evaluate", file("moved.onnx"), "--against", file("original.onnx"), "--data", file("data.mjs")],
  ...more,
];

t.test("the document", async (t) => {
  const { status, stdout, stderr } = await runHalp(args("--boxes", "boxes", "--scores", "scores", "--json"));
  t.equal(status, 0, stderr);
  const { against } = JSON.parse(stdout);
  // Scores of 0.75 fall below 0.7; every box moves by a tenth: 9 / 11.
  t.match(against.boxes, {
    format: "halp.box-agreement/1",
    reference: 4,
    other: 3,
    matched: 3,
    precision: 1,
    recall: 0.75,
    f1: 6 / 7,
    averagePrecision: 1,
    samples: 2,
    options: { format: "xyxy", background: 0, scoreThreshold: 0.7, suppressionOverlap: 0.5, matchOverlap: 0.5 },
  });
  t.ok(Math.abs(against.boxes.meanOverlap - 9 / 11) < 1e-6);
  t.equal(against.outputs.length, 2, "the outputs are compared too");
});

t.test("the table, and other thresholds", async (t) => {
  const { stdout } = await runHalp(args("--boxes", "boxes", "--scores", "scores"));
  t.match(stdout, /boxes +3 +4\n/);
  t.match(stdout, /F1 +85\.71 %/);
  const low = await runHalp(
    args(
      "--boxes",
      "boxes",
      "--scores",
      "scores",
      "--score-threshold",
      "0.5",
      "--match-iou",
      "90%",
      "--nms-iou",
      "0.3",
    ),
  );
  t.match(low.stdout, /boxes +4 +4\n/);
  t.match(low.stdout, /boxes that match +0\n/);
  t.match(low.stdout, /mean overlap of matches +none/);
});

t.test("boxes relative to anchors", async (t) => {
  // Two pixels square: four cells of one anchor of one pixel.
  const ssd = args("--boxes", "boxes", "--scores", "scores", "--box-format", "ssd", "--anchors", "1:1");
  const { status, stdout, stderr } = await runHalp([...ssd, "--json"]);
  t.equal(status, 0, stderr);
  // One more in the first and the third number: 0.1 of an anchor's width aside, and exp(0.2) as wide. Four fifths overlap.
  t.match(JSON.parse(stdout).against.boxes, { reference: 4, other: 3, matched: 3, options: { format: "ssd" } });
});

t.test("what is refused", async (t) => {
  const refused = async (code: RegExp, message: RegExp, ...more: readonly string[]) => {
    const { status, stdout, stderr } = await runHalp(more);
    t.match({ status, stdout }, { status: 2, stdout: "" }, more.join(" "));
    t.match(stderr, code);
    t.match(stderr, message);
  };
  await refused(/HALP_BOXES_OUTPUT/, /did you mean "boxes"/, ...args("--boxes", "box", "--scores", "scores"));
  await refused(/HALP_BOXES_OUTPUT/, /4x2; boxes are/, ...args("--boxes", "scores", "--scores", "scores"));
  await refused(/HALP_BOXES_OPTIONS/, /--scores NAME/, ...args("--boxes", "boxes"));
  await refused(/HALP_BOXES_OPTIONS/, /--boxes NAME/, ...args("--score-threshold", "0.5"));
  await refused(
    /HALP_BOXES_ANCHORS/,
    /and only/,
    ...args("--boxes", "boxes", "--scores", "scores", "--anchors", "1:1"),
  );
  const ssd = args("--boxes", "boxes", "--scores", "scores", "--box-format", "ssd");
  await refused(/HALP_BOXES_ANCHORS/, /give --anchors/, ...ssd);
  await refused(/HALP_BOXES_ANCHORS/, /4 boxes, and 8 anchors/, ...ssd, "--anchors", "1:1+2");
  await refused(/HALP_OPTION_VALUE/, /STRIDE:SIZE/, ...ssd, "--anchors", "1:1,2");
  const alone = ["evaluate", file("moved.onnx"), "--data", file("data.mjs"), "--boxes", "boxes", "--scores", "scores"];
  await refused(/HALP_BOXES_OPTIONS/, /--against MODEL/, ...alone);
  await refused(/HALP_OPTION_VALUE/, /--background/, ...args("--background", "face"));
});
