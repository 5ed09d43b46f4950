import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { readConfig } from "../../src/cli/config-file.js";
import { makeOption, type OptionName } from "../../src/cli/options.js";
import { runHalp } from "./run-halp.js";
import { writeSmallModel } from "./small-model.js";

const folder = t.testdir();
const file = (name: string) => join(folder, name);
writeSmallModel(file("open.onnx"), 8, ["N", 3, "H", "W"]);

const names: OptionName[] = ["budget", "input", "freeze", "mean", "steps", "criterion", "quiet", "output", "against"];
const options = names.map(makeOption);
function read(content: unknown, wanted = options) {
  writeFileSync(file("c.json"), typeof content === "string" ? content : JSON.stringify(content));
  return readConfig(file("c.json"), options, wanted);
}

t.test("values go through the options' own parsers", async (t) => {
  const config = {
    $schema: "x",
    budget: "70%",
    input: { x: [1, 3, 8, 8], y: "2x2" },
    freeze: ["a", "b*"],
    mean: [0.5, 0.25],
    steps: 3,
    quiet: true,
  };
  t.strictSame(read(config), {
    budget: [{ kind: "ratio", ratio: 0.7 }],
    input: { x: [1, 3, 8, 8], y: [2, 2] },
    freeze: ["a", "b*"],
    mean: [0.5, 0.25],
    steps: 3,
    quiet: true,
  });
  t.strictSame(read({ budget: 0.5, freeze: "a" }), { budget: [{ kind: "ratio", ratio: 0.5 }], freeze: ["a"] });
  t.match(read({ budget: ["60%", 0.75] }).budget, [{ ratio: 0.6 }, { ratio: 0.75 }], "one for each device");
  t.strictSame(read({ budget: "70%", steps: 2 }, [makeOption("steps")]), { steps: 2 }, "others are passed over");
});

t.test("mistakes", async (t) => {
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    ["{", /cannot be read/],
    [[1], /JSON object/],
    [{ bugdet: "70%" }, /no option "bugdet"; did you mean "budget"/],
    [{ output: "x.onnx" }, /no option "output"/],
    [{ budget: "101%" }, /"budget": .*101%/],
    [{ steps: 0 }, /"steps": .*whole number/],
    [{ criterion: "luck" }, /"criterion": .*Allowed choices/],
    [{ quiet: "yes" }, /"quiet": .*true or false/],
    [{ budget: {} }, /"budget": .*text or a number/],
  ];
  for (const [content, message] of wrong)
    t.throws(() => read(content), { code: "HALP_CONFIG", exitCode: 2, file: file("c.json"), message });
  t.strictSame(readConfig(undefined, options, options), {}, "no file, no values");
  t.throws(() => readConfig(file("none.json"), options, options), { code: "HALP_CONFIG" });
});

t.test("the command line wins over the file", async (t) => {
  writeFileSync(file("halp.json"), JSON.stringify({ input: { x: "1x3x8x8" }, budget: "70%" }));
  const args = ["inspect", file("open.onnx"), "--json", "--config", file("halp.json")];
  const taken = async (...more: string[]) => JSON.parse((await runHalp([...args, ...more])).stdout).inputs[0].taken;
  t.strictSame(await taken(), [1, 3, 8, 8]);
  t.strictSame(await taken("--input", "x=2x3x4x4"), [2, 3, 4, 4]);
});
