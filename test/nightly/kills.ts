/** Runs of the command line that are killed at random moments and gone on with, against the same runs left alone. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readTensors } from "../../src/finetune/index.js";
import { openTable } from "../../src/latency/table-file.js";
import { readModel } from "../../src/onnx/index.js";
import { uniform } from "../../src/runtime/index.js";
import { killHalp, runHalp } from "../cli/run-halp.js";
import { writeSmallData } from "../cli/small-data.js";
import { writeSmallModel } from "../cli/small-model.js";
import { writeSmallTable } from "../cli/small-table.js";

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
  await writeSmallTable(model, table, 16);
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

/**
 * Kills runs by turns until `count` kills have met one at work.
 * @param root an empty folder
 */
export async function killRuns(count: number, seed: number, root: string, say: (line: string) => void): Promise<Kills> {
  const random = uniform(seed);
  const wrong: string[] = [];
  const kills: Record<string, number> = {};
  let ended = 0;
  const jobs = await jobsIn(root);
  const expected: string[] = [];
  const durations: number[] = [];
  for (const job of jobs) {
    const folder = join(root, `${job.name}-whole`);
    mkdirSync(folder);
    const began = performance.now();
    const { status, stderr } = await runHalp(job.begin(folder));
    if (status !== 0) throw new Error(`${job.name} does not run: ${stderr}`);
    durations.push(performance.now() - began);
    expected.push(job.result(folder));
  }
  const total = () => Object.values(kills).reduce((a, b) => a + b, 0);
  for (let run = 0; total() < count; run++) {
    const number = run % jobs.length;
    const job = jobs[number]!;
    const folder = join(root, `${job.name}-${run}`);
    mkdirSync(folder);
    let begun = false;
    for (let done = false; !done; begun = true) {
      const args = begun ? job.goOn(folder) : job.begin(folder);
      // The last time it is left alone.
      if (total() >= count) {
        const { status, stderr } = await runHalp(args);
        if (status !== 0) wrong.push(`${job.name} ${run}: ended with ${status}: ${stderr}`);
        break;
      }
      const { ended: hasEnded, status, stderr } = await killHalp(args, random() * 0.8 * durations[number]!);
      done = hasEnded;
      if (done && status !== 0) wrong.push(`${job.name} ${run}: ended with ${status}: ${stderr}`);
      if (done) break;
      kills[job.name] = (kills[job.name] ?? 0) + 1;
      if (total() % 20 === 0) say(`${total()} of ${count} kills, ${wrong.length} wrong`);
      try {
        await checkReadable(folder);
      } catch (error) {
        wrong.push(`${job.name} ${run}, kill ${total()}: ${error instanceof Error ? error.message : error}`);
      }
    }
    try {
      if (job.result(folder) !== expected[number]) wrong.push(`${job.name} ${run}: another result than undisturbed`);
    } catch (error) {
      wrong.push(`${job.name} ${run}: ${error instanceof Error ? error.message : error}`);
    }
    ended++;
    rmSync(folder, { recursive: true });
  }
  return { kills, ended, wrong };
}
