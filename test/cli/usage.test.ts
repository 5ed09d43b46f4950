/** Wrong usage: exit code 2, a hint on stderr, nothing on stdout. */
import t from "tap";
import { runHalp } from "./run-halp.js";

const wrong: readonly (readonly [args: readonly string[], message: RegExp])[] = [
  [[], /Usage: halp/],
  [["slove", "p.json"], /unknown command 'slove'[\s\S]*Did you mean solve/],
  [["prune", "m.onnx", "--bugdet", "55%"], /unknown option '--bugdet'[\s\S]*Did you mean --budget/],
  [["prune"], /HALP_ARGUMENT_MISSING[\s\S]*--resume/],
  [["prune", "m.onnx"], /HALP_OPTION_MISSING[\s\S]*--budget/],
  [["prune", "m.onnx", "n.onnx", "--budget", "55%"], /too many arguments/],
  [["prune", "m.onnx", "--budget", "0%"], /HALP_BUDGET_RANGE/],
  [["prune", "m.onnx", "--budget", "101%"], /HALP_BUDGET_RANGE/],
  [["prune", "m.onnx", "--budget", "-3ms"], /HALP_BUDGET_RANGE/],
  [["prune", "m.onnx", "--budget", "-3 ms"], /HALP_BUDGET_RANGE/],
  [["prune", "m.onnx", "--budget=soon"], /HALP_BUDGET_FORMAT/],
  [["prune", "m.onnx", "--budget", "50%", "--steps", "0"], /HALP_OPTION_VALUE/],
  [["prune", "m.onnx", "--budget", "50%", "--input", "x"], /HALP_INPUT_FORMAT/],
  [["prune", "m.onnx", "--budget", "50%", "--criterion", "luck"], /Allowed choices are taylor/],
  [["solve", "no-such-file.json"], /HALP_FILE_MISSING: no-such-file\.json/],
  [["solve", "test"], /HALP_FILE_KIND/],
];

t.test("wrong usage", async (t) => {
  t.jobs = 2;
  for (const [args, message] of wrong)
    t.test(`halp ${args.join(" ")}`, async (t) => {
      const { status, stdout, stderr } = await runHalp(args);
      t.equal(status, 2, "exit code");
      t.match(stderr, message);
      t.equal(stdout, "", "nothing on stdout");
      t.notMatch(stderr, /^\s+at /m, "no stack");
    });
});

t.test("help and version go to stdout", async (t) => {
  const help = await runHalp(["--help"]);
  t.equal(help.status, 0);
  for (const name of ["inspect", "profile", "prune", "solve", "measure", "evaluate", "doctor", "demo"]) {
    t.match(help.stdout, new RegExp(`^  ${name} `, "m"), `${name} is listed`);
  }
  const own = await runHalp(["prune", "--help"]);
  t.equal(own.status, 0);
  t.match(own.stdout, /Examples:\n {2}\$ halp prune/);
  const version = await runHalp(["--version"]);
  t.match(version, { status: 0, stdout: /^\d+\.\d+\.\d+\n$/, stderr: "" });
});
