/** Runs with training that are killed, or whose disk fills up, and are gone on with: what comes out is the same. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { uniform } from "../../src/runtime/index.js";
import { writeEvenTableOf } from "./even-table.js";
import { halpMain, killHalp, runHalp } from "./run-halp.js";
import { writeSmallData } from "./small-data.js";
import { writeSmallModel } from "./small-model.js";

const folder = relative(process.cwd(), t.testdir());
const at = (name: string) => join(folder, name);
mkdirSync(at("data"));
writeSmallData(at("data"));
writeSmallModel(at("net.onnx"), 16);

const shared = ["--data", at("data"), "--cache", at("cache"), "--learning-rate", "0.02", "--seed", "3"];
await writeEvenTableOf(at("net.onnx"), at("table.json"), 16);
const prune = (name: string) => [
  ...[
    "prune",
    at("net.onnx"),
    "--table",
    at("table.json"),
    "--budget",
    "60%",
    "--batch",
    "16",
    "--steps",
    "4",
    "--train-steps",
    "6",
  ],
  ...["--train-batch", "32", "--epochs", "3", "--rounds", "1", "--run", at(name)],
  ...["-o", at(`${name}.onnx`), ...shared],
];
const epochsOf = (name: string) =>
  readFileSync(at(`${name}/log.jsonl`), "utf8")
    .trim()
    .split("\n")
    .map((line) => ({ ...JSON.parse(line), seconds: 0 }));
const unfinished = (name: string) => readdirSync(at(name)).filter((file) => file.endsWith(".tmp"));

/** Starts or goes on with a run, and kills it after a while. @returns whether it had ended by itself before */
async function killAfter(ms: number, name: string): Promise<boolean> {
  const args = existsSync(at(`${name}/config.json`)) ? ["prune", "--resume", at(name)] : prune(name);
  return (await killHalp(args, ms)).ended;
}

t.test("pruning that is killed at random moments ends with the same weights", { timeout: 300_000 }, async (t) => {
  // Tries what training tries; runs that share its cache need not.
  t.equal((await runHalp(prune("first"))).status, 0);
  const began = performance.now();
  const whole = await runHalp(prune("whole"));
  t.equal(whole.status, 0, whole.stderr);
  const duration = performance.now() - began;

  const random = uniform(11);
  const runs = ["killed-1"];
  for (let kills = 0; kills < 6; ) {
    const name = runs.at(-1) as string;
    if (await killAfter(random() * 0.6 * duration, name)) runs.push(`killed-${runs.length + 1}`);
    else kills++;
    if (existsSync(at(name))) t.comment(`${name} holds ${readdirSync(at(name)).join(", ")}`);
  }
  for (const name of runs) {
    const begun = existsSync(at(`${name}/config.json`));
    const ended = await runHalp(begun ? ["prune", "--resume", at(name)] : prune(name));
    t.equal(ended.status, 0, ended.stderr);
    t.ok(readFileSync(at(`${name}.onnx`)).equals(readFileSync(at("whole.onnx"))), `${name}: the same file`);
    t.equal(readFileSync(at(`${name}/plan.json`), "utf8"), readFileSync(at("whole/plan.json"), "utf8"));
    t.same(epochsOf(name), epochsOf("whole"), "and the same log");
    t.same(unfinished(name), [], "and nothing half-written");
  }
});

t.test("a new run takes nothing from an old one in its folder", async (t) => {
  const name = "killed-1";
  t.ok(existsSync(at(`${name}/state.safetensors`)));
  // Killed as soon as it has written what it is.
  const before = readFileSync(at(`${name}/config.json`), "utf8");
  const child = spawn(process.execPath, [halpMain, ...prune(name), "--seed", "4"], { stdio: "ignore" });
  const closed = once(child, "close");
  const config = () =>
    existsSync(at(`${name}/config.json`)) ? readFileSync(at(`${name}/config.json`), "utf8") : before;
  while (child.exitCode === null && config() === before) await sleep(2);
  child.kill("SIGKILL");
  await closed;
  t.same(
    // The lock of the killed one stays, and counts no more.
    readdirSync(at(name)).filter((file) => !["config.json", "forms.json", "run.lock"].includes(file)),
    [],
  );
});

t.test(
  "a full disk ends a training with its last checkpoint whole",
  { skip: process.platform === "win32" },
  async (t) => {
    const finetune = (name: string) => [
      ...["finetune", at("net.onnx"), "--batch", "16", "--epochs", "2", "--run", at(name)],
      ...["-o", at(`${name}.onnx`), ...shared],
    ];
    t.equal((await runHalp(finetune("full-whole"))).status, 0);
    // The first epoch of a run of two, left by a kill.
    const child = spawn(process.execPath, [halpMain, ...finetune("full")], { stdio: "ignore" });
    const closed = once(child, "close");
    while (child.exitCode === null && !existsSync(at("full/checkpoint.safetensors"))) await sleep(2);
    child.kill("SIGKILL");
    await closed;
    const checkpoint = readFileSync(at("full/checkpoint.safetensors"));
    // No file may grow beyond 4 KiB: to the program it is as if the disk were full. What the test runner adds to programs
    // by NODE_OPTIONS ends them at the signal that comes with it, and Node goes on.
    const command = `unset NODE_OPTIONS; ulimit -f 4 && exec "$0" "$@"`;
    const args = ["-c", command, process.execPath, halpMain, "finetune", "--resume", at("full")];
    const limited = spawn("bash", args, { stdio: ["ignore", "ignore", "pipe"] });
    let stderr = "";
    limited.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const [status, signal] = await once(limited, "close");
    t.same([status, signal], [1, null], stderr);
    t.match(stderr, /HALP_OUTPUT_UNWRITABLE/);
    t.match(stderr, `halp finetune --resume ${at("full")}`);
    t.ok(readFileSync(at("full/checkpoint.safetensors")).equals(checkpoint), "the checkpoint is what it was");
    t.same(unfinished("full"), []);
    t.equal((await runHalp(["finetune", "--resume", at("full")])).status, 0);
    t.ok(readFileSync(at("full.onnx")).equals(readFileSync(at("full-whole.onnx"))), "the same network as undisturbed");
  },
);
