/** Steps of a training whose passes workers make: the same weights as by one process, whatever befell them. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { PassRecipe, PassWork } from "../../src/finetune/index.js";
import { helpersOn } from "../../src/jobs/helpers.js";
import type { Fleet, SendOptions } from "../../src/jobs/index.js";
import { writeEvenTableOf } from "../cli/even-table.js";
import { runHalp } from "../cli/run-halp.js";
import { writeSmallData } from "../cli/small-data.js";
import { writeSmallModel } from "../cli/small-model.js";
import { leftInRedis, noRedis, startRedis, startWorker } from "./redis-server.js";

const folder = t.testdir();
const at = (name: string) => join(folder, name);
writeSmallModel(at("small.onnx"), 16);
await writeEvenTableOf(at("small.onnx"), at("table.json"), 16);
mkdirSync(at("data"));
writeSmallData(at("data"));
const skip = noRedis;
const hash = "0".repeat(64);

t.test("a training whose steps many make comes to the same weights", { skip, timeout: 240_000 }, async (t) => {
  const redis = await startRedis();
  t.teardown(redis.stop);
  const start = (name: string) => startWorker(redis.url, name, ["--data-root", folder]);
  const workers = [await start("a"), await start("b")];
  t.teardown(() => Promise.all(workers.map((worker) => worker.kill())));
  const finetune = (name: string, ...more: string[]) =>
    runHalp([
      ...["finetune", at("small.onnx"), "--data", at("data"), "--batch", "16", "--accumulate", "4", "--epochs", "2"],
      ...["--augment", "flip,crop:1", "--limit", "300", "--seed", "4", "--cache", at("cache"), "--json"],
      ...["--run", at(`run-${name}`), "-o", at(`${name}.onnx`), ...more],
    ]);
  const told = ({ stdout }: { readonly stdout: string }) => {
    const { log, output: _o, runFolder: _r, ...result } = JSON.parse(stdout);
    return { ...result, log: log.map(({ seconds: _, ...line }: { readonly seconds: number }) => line) };
  };
  const alone = await finetune("alone");
  t.equal(alone.status, 0, alone.stderr);
  t.equal(told(alone).steps, 8);
  const helped = finetune("helped", "--workers", "--redis", redis.url);
  await workers[0]!.until(/pass/);
  await workers[0]!.kill();
  t.equal((await helped).status, 0, (await helped).stderr);
  t.strictSame(told(await helped), told(alone));
  t.strictSame(readFileSync(at("helped.onnx")), readFileSync(at("alone.onnx")), "the same bytes");
  t.same(await leftInRedis(redis), []);

  const loop = (name: string, ...more: string[]) =>
    runHalp([
      ...["prune", at("small.onnx"), "--budget", "60%", "--batch", "16", "--table", at("table.json")],
      ...["--data", at("data"), "--limit", "256", "--steps", "2", "--train-steps", "3", "--train-batch", "16"],
      ...["--accumulate", "2", "--epochs", "1", "--patience", "0", "--cache", at("cache"), "--tolerance", "99%"],
      ...["--rounds", "1", "--json", "--run", at(`run-${name}`), "-o", at(`${name}.onnx`), ...more],
    ]);
  const pruned = await loop("loop");
  t.equal(pruned.status, 0, pruned.stderr);
  const together = await loop("loop-helped", "--workers", "--redis", redis.url);
  t.equal(together.status, 0, together.stderr);
  t.strictSame(readFileSync(at("loop-helped.onnx")), readFileSync(at("loop.onnx")), "importance and weights the same");
  t.same(await leftInRedis(redis), []);
});

t.test("what workers make of a pass is held against what they were asked", async (t) => {
  const named = (name: string, ...dims: number[]) => ({ name, dims });
  const recipe: PassRecipe = {
    ...{ input: named("x", 4, 3), labels: [], weights: [named("w", 3)], zeros: [], loss: "l", terms: ["l"], passes: 3 },
    ...{ gradients: [named("dw", 3)], scores: [{ ...named("s", 2), value: "v" }] },
  };
  const work: PassWork = {
    ...{ graph: Buffer.from("graph"), recipe, weights: Float32Array.of(1, 2, 3), threads: 1 },
    ...{ loader: { dataset: { path: at("data") }, batchSize: 4, seed: 1 }, epoch: 0, from: 3, count: 2 },
  };
  const asked: { readonly from: number }[] = [];
  const passes = (results: readonly object[], bytes = 20, more = work) => {
    const fleet = {
      share: async function* (_: string, next: () => { readonly from: number } | undefined, options: SendOptions) {
        for (const result of results) {
          asked.push(next()!);
          await options.onResult?.(result);
          yield result;
        }
      },
      take: async () => Buffer.from(Float32Array.from({ length: bytes / 4 }, (_, i) => i).buffer),
    } as unknown as Fleet;
    return helpersOn(
      fleet,
      async () => ({ data: { kind: "drawn", dims: [4, 3], seed: 1 }, mark: { size: 1, sha256: hash } }),
      {},
    ).passes(more);
  };
  const one = { loss: 0.5, terms: [0.5], correct: 2, packed: "a" };
  const sum = await passes([one, { ...one, packed: "b" }]);
  t.match(sum, { passes: 2, loss: 1, terms: [1], correct: 4 });
  t.strictSame([sum.gradients, sum.scores], [[Float32Array.of(0, 2, 4)], [Float32Array.of(6, 8)]]);
  t.match(asked, [{ from: 3, count: 1 }, { from: 4 }]);
  t.ok(Number.isNaN((await passes([{ ...one, loss: null }])).loss), "JSON has no NaN");
  await t.rejects(passes([one], 24), { code: "HALP_JOB_RESULT" });
  await t.rejects(passes([{ ...one, terms: [1, 2] }]), { code: "HALP_JOB_RESULT" });
  const large = { ...recipe, gradients: [named("dw", 5000, 5000)] };
  await t.rejects(passes([one], 20, { ...work, recipe: large }), {
    code: "HALP_TRAINING_OPTION",
    message: /25 million/,
  });
});
