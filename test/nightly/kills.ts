/** Runs of the command line that are killed at random moments and gone on with, against the same runs left alone. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readTensors } from "../../src/finetune/index.js";
import { openTable } from "../../src/latency/table-file.js";
import { readModel } from "../../src/onnx/index.js";
import { uniform } from "../../src/runtime/index.js";
import { writeEvenTableOf } from "../cli/even-table.js";
import { killHalp, runHalp } from "../cli/run-halp.js";
import { writeSmallData } from "../cli/small-data.js";
import { writeSmallModel } from "../cli/small-model.js";

export interface Kills {
  /** Kills that met a run at work, by command. */
  readonly kills: Readonly<Record<string, number>>;
  /** Runs that came to their end all the same. */
  readonly ended: number;
  readonly wrong: readonly string[];
}

interface Job {
  readonly name: string;
  /** The run from its beginning, and as it is gone on with. Its files all lie in `folder`. */
  readonly begin: (folder: string) => readonly string[];
  readonly goOn: (folder: string) => readonly string[];
  /** What has to be the same in the end. */
  readonly result: (folder: string) => string;
}

async function jobsIn(root: string): Promise<readonly Job[]> {
  const [model, data] = [join(root, "net.onnx"), join(root, "data")];
  writeSmallModel(model, 16);
  mkdirSync(data);
  writeSmallData(data);
  const cache = join(root, "cache");
  const table = join(root, "table.json");
  await writeEvenTableOf(model, table, 16);
  const shared = ["--data", data, "--cache", cache, "--learning-rate", "0.02", "--seed", "3"];
  const whole = (folder: string, file: string) => readFileSync(join(folder, file)).toString("base64");
  /** @param begunBy the file that a run can be gone on with from */
  const training = (command: string, options: readonly string[], begunBy: string): Job => ({
    name: command,
    begin: (folder) => [
      command,
      model,
      "--batch",
      "16",
      ...options,
      "--run",
      folder,
      "-o",
      `${folder}/out.onnx`,
      ...shared,
    ],
    goOn: (folder) =>
      existsSync(join(folder, begunBy))
        ? [command, "--resume", folder]
        : training(command, options, begunBy).begin(folder),
    result: (folder) => whole(folder, "out.onnx"),
  });
  const profile = (folder: string) => [
    ...["profile", model, "--batch", "16", "--patience", "0"],
    ...["--cache", join(folder, "cache"), "-o", join(folder, "table.json")],
  ];
  return [
    // Latencies differ from one run to the next; which layers there are does not.
    {
      name: "profile",
      begin: profile,
      goOn: profile,
      result: (folder) => [...openTable(join(folder, "table.json")).entries.keys()].sort().join("\n"),
    },
    training(
      "prune",
      [
        ...[
          "--table",
          table,
          "--budget",
          "60%",
          "--steps",
          "4",
          "--train-steps",
          "6",
          "--train-batch",
          "32",
          "--epochs",
          "6",
        ],
        ...["--rounds", "1"],
      ],
      "config.json",
    ),
    training("finetune", ["--epochs", "6"], "checkpoint.safetensors"),
  ];
}

/** Whatever lies in a folder can be read; what is being written has another name. @throws where it cannot */
async function checkReadable(folder: string): Promise<void> {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory() || entry.name.endsWith(".tmp")) continue;
    if (entry.name.endsWith(".json")) JSON.parse(readFileSync(path, "utf8"));
    if (entry.name.endsWith(".safetensors")) await readTensors(path);
    if (entry.name.endsWith(".onnx")) await readModel(path);
  }
}

/** A run is left alone after so many kills: it would not come to its end while most of its time is killed. */
const killsPerRun = 5;

/**
 * Kills runs of each command by turns until `count` kills have met one at work, as many of each command.
 * @param root an empty folder
 */
export async function killRuns(count: number, seed: number, root: string, say: (line: string) => void): Promise<Kills> {
  const random = uniform(seed);
  const wrong: string[] = [];
  const kills: Record<string, number> = {};
  let [total, ended] = [0, 0];
  const jobs = await jobsIn(root);
  const shares = jobs.map((_, i) => Math.floor((count + i) / jobs.length));

  /** One run from its beginning to its end, killed on the way at most `most` times. */
  const killRun = async (job: Job, folder: string, durationMs: number, most: number): Promise<void> => {
    let args = job.begin(folder);
    for (let killed = 0; killed < most; killed++) {
      const { ended: hasEnded, status, stderr } = await killHalp(args, random() * 0.8 * durationMs);
      if (hasEnded) return checkStatus(status, stderr);
      kills[job.name] = (kills[job.name] ?? 0) + 1;
      if (++total % 20 === 0) say(`${total} of ${count} kills, ${wrong.length} wrong`);
      await checkReadable(folder);
      args = job.goOn(folder);
    }
    const { status, stderr } = await runHalp(args);
    checkStatus(status, stderr);
  };

  const whole: { expected: string; durationMs: number }[] = [];
  for (const job of jobs) {
    const folder = join(root, `${job.name}-whole`);
    mkdirSync(folder);
    const began = performance.now();
    const { status, stderr } = await runHalp(job.begin(folder));
    checkStatus(status, stderr);
    whole.push({ expected: job.result(folder), durationMs: performance.now() - began });
  }
  for (let run = 0; total < count; run++) {
    const number = run % jobs.length;
    const job = jobs[number]!;
    const left = shares[number]! - (kills[job.name] ?? 0);
    if (left === 0) continue;
    const folder = join(root, `${job.name}-${run}`);
    mkdirSync(folder);
    const { expected, durationMs } = whole[number]!;
    const before = total;
    try {
      await killRun(job, folder, durationMs, Math.min(left, killsPerRun));
      if (job.result(folder) !== expected) throw new Error("another result than undisturbed");
    } catch (error) {
      wrong.push(`${job.name} ${run}, kills ${before} to ${total}: ${error instanceof Error ? error.message : error}`);
    }
    ended++;
    rmSync(folder, { recursive: true });
  }
  return { kills, ended, wrong };
}

function checkStatus(status: number | null, stderr: string): void {
  if (status !== 0) throw new Error(`ended with ${status}: ${stderr}`);
}
