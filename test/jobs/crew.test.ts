/** Scoring and evaluation shared among workers: the same bits as here, whoever did what and whatever befell them. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import t from "tap";
import { analyzeCoupling } from "../../src/coupling/index.js";
import { type DataSource, specForModel } from "../../src/evaluation/index.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import { createBlobCache } from "../../src/jobs/blob-cache.js";
import { crewOf, type Fleet, localCrew, openFleet, type ScoreJob } from "../../src/jobs/index.js";
import { workerKey } from "../../src/jobs/names.js";
import { readModel } from "../../src/onnx/index.js";
import { findOperator } from "../../src/operators/index.js";
import type { Saliency } from "../../src/saliency/index.js";
import { writeEvenTableOf } from "../cli/even-table.js";
import { runHalp } from "../cli/run-halp.js";
import { writeSmallData } from "../cli/small-data.js";
import { writeSmallModel } from "../cli/small-model.js";
import { patternBytes, pngBytes } from "../data/files.js";
import { leftInRedis, noRedis, startRedis, startWorker } from "./redis-server.js";

const folder = t.testdir();
const at = (name: string) => join(folder, name);
writeSmallModel(at("model.onnx"), 32);
writeSmallModel(at("small.onnx"), 16);
await writeEvenTableOf(at("small.onnx"), at("table.json"), 16);
mkdirSync(at("data"));
writeSmallData(at("data"));
mkdirSync(at("other"));
const skip = noRedis;

const analyzed = analyzeGraph(await readModel(at("model.onnx")), findOperator, { batch: 4 });
const coupling = analyzeCoupling(analyzed, findOperator, {});
const [dims = []] = analyzed.inputDims.values();
const stored = (path = at("data")): DataSource => ({
  kind: "stored",
  spec: specForModel(dims, { path, split: "train" }),
});
const job: ScoreJob = { analyzed, coupling, criterion: "taylor", data: stored(), limit: 1000, shuffleSeed: 5, seed: 9 };
/** Takes some seconds. */
const long: ScoreJob = { ...job, loss: "projection", projections: 40 };
const jobs: readonly ScoreJob[] = [job, { ...job, loss: "own-labels" }, long];
const bits = ({ importance, batches, loss }: Saliency) => [
  Buffer.from(importance.buffer).toString("base64"),
  batches,
  loss,
];

t.test("1, 2 and 3 workers, some of them killed, score as one process does", { skip, timeout: 240_000 }, async (t) => {
  const redis = await startRedis();
  t.teardown(redis.stop);
  const expected = [];
  for (const one of jobs) expected.push(bits(await localCrew().score(one)));
  t.not(expected[0]![0], expected[1]![0]);
  await using fleet = await openFleet({ redis: redis.url });
  const crew = crewOf(fleet);
  await t.rejects(crew.score(job), { code: "HALP_NO_WORKERS", message: /--data-root/ });
  const start = (name: string) => startWorker(redis.url, name, ["--data-root", folder]);
  const workers = [await start("a")];
  t.teardown(() => Promise.all(workers.map((worker) => worker.kill())));
  for (const [i, one] of jobs.entries()) t.strictSame(bits(await crew.score(one)), expected[i], `one worker, ${i}`);
  workers.push(await start("b"));
  t.strictSame(bits(await crew.score(job)), expected[0], "two workers");
  const model = analyzed.model;
  const judged = { model, data: stored(), batchSize: 4, limit: 50 };
  t.strictSame(await crew.evaluate(judged), await localCrew().evaluate(judged));
  const client = redis.connect();
  await client.del(workerKey("a"), workerKey("b"));
  client.disconnect();
  t.strictSame(bits(await crew.score(job)), expected[0], "two whose signs of life Redis has lost are waited for");
  workers.push(await start("c"));
  /** Scores, and has something happen once some batches are done. */
  const disturbed = async (then: () => Promise<void>) => {
    let happened: Promise<void> | undefined;
    const scored = await crew.score({
      ...long,
      onProgress: ({ done, total }) => {
        if (done > total / 4) happened ??= then();
      },
    });
    t.ok(happened, "it came in the middle");
    await happened;
    return bits(scored);
  };
  t.strictSame(await disturbed(() => workers[0]!.kill()), expected[2], "three workers, one of them killed");
  const lose = async () => {
    await redis.kill();
    await redis.start();
  };
  t.strictSame(await disturbed(lose), expected[2], "two workers, and a Redis that lost all");
  const controller = new AbortController();
  const stopped = crew.score({ ...long, signal: controller.signal });
  await sleep(300);
  await workers[1]!.kill();
  controller.abort(new Error("no more"));
  await t.rejects(stopped, { message: "no more" });
  t.same(await leftInRedis(redis), [], "nothing is left, not even of what a killed worker was at");
  for (const worker of workers) await worker.kill("SIGINT");
});

t.test("workers read what they may, and only where it is the same", { skip, timeout: 240_000 }, async (t) => {
  const redis = await startRedis();
  t.teardown(redis.stop);
  const worker = await startWorker(redis.url, "a", ["--data-root", at("data")]);
  t.teardown(() => worker.kill());
  await using fleet = await openFleet({ redis: redis.url });
  const crew = crewOf(fleet);
  writeSmallData(at("other"));
  await t.rejects(crew.score({ ...job, data: stored(at("other")) }), {
    code: "HALP_JOB_DATA",
    message: /worker a may not read .*other/,
  });
  symlinkSync(at("other"), at("data/link"));
  await t.rejects(crew.score({ ...job, data: stored(at("data/link")) }), {
    code: "HALP_JOB_DATA",
    message: /^a:.*below no/,
  });
  writeFileSync(at("data/code.mjs"), "export default [{ images: new Float32Array(192), dims: [1, 3, 8, 8] }];");
  await t.rejects(share(fleet, { data: { kind: "stored", spec: { path: at("data/code.mjs") } } }), {
    code: "HALP_JOB_DATA",
    message: /runs? no code|run no code/,
  });
  for (const [what, part] of Object.entries({
    data: { data: { kind: "stored", spec: { path: 5 } } },
    mark: { mark: { size: 1, sha256: "no" } },
    batches: { count: 1e9 },
    graph: { graph: "../../etc/passwd" },
  }))
    await t.rejects(share(fleet, part), { code: "HALP_JOB_TASK" }, what);
  await t.rejects(share(fleet, { mark: { size: 7, sha256: "0".repeat(64) } }), {
    code: "HALP_JOB_DATA",
    message: /holds 512 samples here, and 7/,
  });
  await worker.kill("SIGINT");
});

t.test("a list of addresses is read by each worker that may read there", { skip, timeout: 240_000 }, async (t) => {
  mkdirSync(at("images"));
  const names = Array.from({ length: 16 }, (_, i) => `${i}.png`);
  for (const [i, name] of names.entries())
    writeFileSync(at(`images/${name}`), await pngBytes(8, 8, 3, patternBytes(192, 11 * i)));
  const server = createServer(({ url = "" }, response) =>
    response.end(url === "/list.txt" ? names.map((n, i) => `images/${n} ${i % 4}`).join("\n") : readFileSync(at(url))),
  ).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const redis = await startRedis();
  t.teardown(redis.stop);
  const start = (name: string, root: string) => startWorker(redis.url, name, ["--data-root", root]);
  const workers = [await start("a", `http://127.0.0.1:${port}/`)];
  t.teardown(() => Promise.all(workers.map((worker) => worker.kill())));
  await using fleet = await openFleet({ redis: redis.url });
  const listed = { ...job, data: stored(`http://127.0.0.1:${port}/list.txt`) };
  t.strictSame(bits(await crewOf(fleet).score(listed)), bits(await localCrew().score(listed)));
  workers.push(await start("b", `http://127.0.0.1:${port}/images`));
  await t.rejects(crewOf(fleet).score(listed), { code: "HALP_JOB_DATA", message: /worker b may not read/ });
});

t.test("halp evaluate and halp prune --workers say what they say without", { skip, timeout: 240_000 }, async (t) => {
  const redis = await startRedis();
  t.teardown(redis.stop);
  const worker = await startWorker(redis.url, "a", ["--data-root", folder]);
  t.teardown(() => worker.kill());
  const workers = ["--workers", "--redis", redis.url];
  const evaluate = ["evaluate", at("model.onnx"), "--data", at("data"), "--limit", "50", "--json"];
  const [here, there] = [await runHalp(evaluate), await runHalp([...evaluate, ...workers])];
  t.equal(there.status, 0, there.stderr);
  t.strictSame(JSON.parse(there.stdout), JSON.parse(here.stdout));
  const prune = (out: string) => [
    ...[
      "prune",
      at("small.onnx"),
      "--budget",
      "60%",
      "--batch",
      "16",
      "--table",
      at("table.json"),
      "--data",
      at("data"),
      "--limit",
      "64",
    ],
    ...["--patience", "0", "--cache", at("cache"), "--tolerance", "99%", "--rounds", "1", "--json"],
    ...["--run", at(`run-${out}`), "-o", at(out)],
  ];
  const pruned = [await runHalp(prune("here.onnx")), await runHalp([...prune("there.onnx"), ...workers])];
  t.equal(pruned[1]!.status, 0, pruned[1]!.stderr);
  const results = pruned.map(({ stdout }) => JSON.parse(stdout));
  t.strictSame(results[1].groups, results[0].groups);
  t.equal(results[1].importanceKept, results[0].importanceKept);
  t.strictSame(results[1].accuracy, results[0].accuracy);
  for (const words of [["--workers"], ["--redis", redis.url]])
    t.match(await runHalp([...evaluate, ...words]), { status: 2, stderr: /HALP_OPTION_MISSING/ });
});

const hash = createHash("sha256").update("{}").digest("hex");

/** Sends a task as somebody may who can write into Redis. */
async function share(fleet: Fleet, part: object): Promise<void> {
  const task = {
    ...{ data: stored(), mark: { size: 512, sha256: "0".repeat(64) }, batchSize: 4, from: 0, count: 1, threads: 1 },
    ...{ graph: hash, recipe: hash, shuffleSeed: 0 },
    ...part,
  };
  const tasks = [task];
  const blobs = new Map([[hash, Buffer.from("{}")]]);
  for await (const _ of fleet.share("score", () => tasks.shift() as never, { blobs }));
}

t.test("blobs: what is used stays, the rest goes", (t) => {
  const cache = createBlobCache();
  cache.set("graph", Buffer.from("graph"));
  for (let i = 0; i < 20; i++) {
    cache.set(`recipe ${i}`, Buffer.from([i]));
    t.same(cache.get("graph"), Buffer.from("graph"), `one graph with ${i + 1} recipes`);
  }
  t.equal(cache.get("recipe 0"), undefined);
  t.same(cache.get("recipe 19"), Buffer.from([19]));
  t.end();
});

t.test("what is no worker is not listed", { skip }, async (t) => {
  const redis = await startRedis();
  t.teardown(redis.stop);
  const client = new Redis(redis.url);
  await client.set("halp:worker:liar", "{");
  await using fleet = await openFleet({ redis: redis.url });
  t.same(await fleet.devices(), []);
  client.disconnect();
});
