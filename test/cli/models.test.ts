/** Commands that read a model: what they print, and what bad input is answered with. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { GraphBuilder } from "../../src/graph/builder.js";
import { float32Tensor } from "../../src/graph/tensors.js";
import { encodeModel } from "../../src/onnx/index.js";
import { runHalp } from "./run-halp.js";
import { writeSmallModel } from "./small-model.js";

const folder = t.testdir({ "not.onnx": "this is no model, only text", "empty.onnx": "" });
const file = (name: string) => join(folder, name);
writeSmallModel(file("small.onnx"));
writeSmallModel(file("open.onnx"), 8, ["N", 3, "H", "W"]);
const bytes = readFileSync(file("small.onnx"));
writeFileSync(file("cut.onnx"), bytes.subarray(0, bytes.length / 2));

t.test("bad models: exit code 2, a code, nothing on stdout", async (t) => {
  const cases: readonly (readonly [name: string, code: RegExp])[] = [
    ["none.onnx", /HALP_FILE_MISSING/],
    ["not.onnx", /HALP_ONNX_/],
    ["empty.onnx", /HALP_ONNX_/],
    ["cut.onnx", /HALP_ONNX_TRUNCATED/],
    [".", /HALP_FILE_/],
    ["open.onnx", /HALP_DYNAMIC_DIM[\s\S]*--input x=/],
  ];
  for (const [name, code] of cases)
    for (const command of [["inspect"], ["measure"], ["evaluate", "--against", file("small.onnx")]]) {
      const { status, stdout, stderr } = await runHalp([...command, file(name)]);
      t.equal(status, 2, `halp ${command[0]} ${name}`);
      t.equal(stdout, "");
      t.match(stderr, code);
    }
});

t.test("models that are incomplete", async (t) => {
  const b = new GraphBuilder();
  const x = b.input("x", [1, 4]);
  b.node("Gemm", [x, "w"], {}, { outputs: ["y"] });
  b.output("y", [1, 3]);
  const whole = b.model();
  const withWeight = (location: string) => ({
    ...whole,
    graph: {
      ...whole.graph,
      initializers: [
        {
          ...float32Tensor("w", [4, 3], new Float32Array(12)),
          bytes: new Uint8Array(0),
          storage: "external" as const,
          external: { entries: [{ key: "location", value: location }] },
        },
      ],
    },
  });
  writeFileSync(file("no-weight.onnx"), encodeModel(whole));
  writeFileSync(file("no-data.onnx"), encodeModel(withWeight("weights.bin")));
  writeFileSync(file("outside.onnx"), encodeModel(withWeight("../../package.json")));
  for (const [name, code] of [
    ["no-weight.onnx", /HALP_ONNX_MISSING_VALUE/],
    ["no-data.onnx", /HALP_EXTERNAL_DATA_MISSING/],
    ["outside.onnx", /HALP_EXTERNAL_DATA_/],
  ] as const) {
    const { status, stdout, stderr } = await runHalp(["inspect", file(name)]);
    t.equal(status, 2, name);
    t.equal(stdout, "");
    t.match(stderr, code);
  }
});

t.test("data that does not fit", async (t) => {
  const yields = (dims: string, labels: string) =>
    `export default () => [{ images: new Float32Array(${dims}.reduce((a, b) => a * b)), dims: ${dims}, labels: Int32Array.of(${labels}) }];`;
  writeFileSync(file("narrow.mjs"), yields("[2, 3, 8, 7]", "0, 1"));
  writeFileSync(file("label.mjs"), yields("[2, 3, 8, 8]", "0, 4"));
  for (const [name, code] of [
    ["narrow.mjs", /HALP_DATA_SHAPE/],
    ["label.mjs", /HALP_LABEL_RANGE/],
  ] as const) {
    const { status, stdout, stderr } = await runHalp(["evaluate", file("small.onnx"), "--data", file(name)]);
    t.equal(status, 2, name);
    t.equal(stdout, "");
    t.match(stderr, code);
  }
});

t.test("inspect", async (t) => {
  const json = await runHalp(["inspect", file("small.onnx"), "--json", "--freeze", "conv2"]);
  t.equal(json.status, 0, json.stderr);
  const found = JSON.parse(json.stdout);
  t.match(found, {
    format: "halp.inspection/1",
    operators: { Conv: 2, Relu: 2, Gemm: 1 },
    inputs: [{ name: "x", dims: ["N", 3, 8, 8], taken: [1, 3, 8, 8] }],
    outputs: [{ name: "logits", dims: [1, 4] }],
    // 64 positions x 8 outputs x 9 x (3 and 8 inputs), and the Gemm.
    macs: 64 * 8 * 9 * 11 + 32,
    // Both convolutions touch conv1's channels; the Gemm lies between frozen ones.
    prunableMacs: 64 * 8 * 9 * 11,
    parameters: 8 * 3 * 9 + 8 * 8 * 9 + 32,
    unknown: [],
  });
  const conv1 = found.groups.find((g: { name: string }) => /conv1/.test(g.name));
  t.match(conv1, { channels: 8, frozen: null, producers: [{ name: "conv1" }], consumers: [{ name: "conv2" }] });
  t.equal(conv1.options.at(-1), 8);
  const conv2 = found.groups.find((g: { name: string }) => /conv2/.test(g.name));
  t.match(conv2, { frozen: /--freeze conv2/, options: [8] });

  const text = await runHalp(["inspect", file("small.onnx"), "--batch", "2"]);
  t.equal(text.status, 0);
  t.match(text.stdout, /taken as 2x3x8x8/);
  t.match(text.stdout, /made by .*conv1/);
  t.ok(
    text.stdout.split("\n").every((line) => line.length <= 120),
    "fits",
  );
  t.match(await runHalp(["inspect", file("small.onnx"), "--freeze", "conv9"]), {
    status: 2,
    stderr: /HALP_FREEZE_NAME/,
  });
  t.match(await runHalp(["inspect", file("small.onnx"), "--input", "y=1x3x8x8"]), { status: 2, stderr: /HALP_INPUT_/ });
});

t.test("measure", async (t) => {
  const own = await runHalp(["measure", file("small.onnx"), "--json", "--repeats", "5"]);
  t.equal(own.status, 0, own.stderr);
  const single = JSON.parse(own.stdout);
  t.match(single, { format: "halp.measurement/1", latencyNs: { model: { count: 5 } } });
  t.notOk("ratio" in single);
  writeSmallModel(file("wide.onnx"), 64);
  const args = ["measure", file("small.onnx"), "--against", file("wide.onnx"), "--repeats", "20"];
  const { status, stdout, stderr } = await runHalp([...args, "--json"]);
  t.equal(status, 0, stderr);
  const { ratio, spread, latencyNs } = JSON.parse(stdout);
  t.equal(ratio, latencyNs.model.median / latencyNs.against.median, "a fraction of the other's latency");
  t.ok(spread >= 0);
  t.match((await runHalp(args)).stdout, /takes \d+\.\d % of/);
});

t.test("evaluate", async (t) => {
  writeSmallModel(file("other.onnx"), 16);
  writeFileSync(
    file("data.mjs"),
    `export default function* () {
       for (let b = 0; b < 3; b++)
         yield { images: new Float32Array(2 * 192).map((_, i) => Math.sin(i * (b + 1))), dims: [2, 3, 8, 8], labels: Int32Array.of(b, 3) };
     }`,
  );
  const labelled = await runHalp(["evaluate", file("small.onnx"), "--data", file("data.mjs"), "--json"]);
  t.equal(labelled.status, 0, labelled.stderr);
  const result = JSON.parse(labelled.stdout);
  t.match(result, { format: "halp.evaluation/1", samples: 6, classes: 4, top5: 1, notFinite: 0 });
  t.ok(result.top1 >= 0 && result.top1 <= 1);

  const same = await runHalp(["evaluate", file("small.onnx"), "--against", file("small.onnx"), "--json"]);
  t.equal(same.status, 0, same.stderr);
  t.match(JSON.parse(same.stdout), {
    top1: null,
    against: { outputs: [{ name: "logits", relativeError: 0, agreement: 1 }] },
  });
  const other = await runHalp(["evaluate", file("small.onnx"), "--against", file("other.onnx")]);
  t.match(other.stdout, /logits, relative error +[\d.]+ %/);

  t.match(await runHalp(["evaluate", file("small.onnx")]), { status: 2, stderr: /HALP_DATA_MISSING/, stdout: "" });
  t.match(await runHalp(["evaluate", file("small.onnx"), "--data", file("nowhere")]), {
    status: 2,
    stderr: /HALP_DATA_MISSING/,
    stdout: "",
  });
});

t.test("doctor", async (t) => {
  const { status, stdout } = await runHalp(["doctor", "--json", "--cache", file("cache")]);
  t.equal(status, 0);
  const { format, ok, checks } = JSON.parse(stdout);
  t.match({ format, ok }, { format: "halp.doctor/1", ok: true });
  const names = checks.map((c: { name: string }) => c.name);
  for (const name of ["node", "processor", "memory", "solver", "runtime", "addon", "sharp", "cache"])
    t.ok(names.includes(name), name);
});
