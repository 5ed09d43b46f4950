/** Devices elsewhere: workers in processes of their own, a real Redis between, and all that can go wrong with either. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import t from "tap";
import { analyzeGraph } from "../../src/graph/infer.js";
import { benchOn, type Fleet, openFleet } from "../../src/jobs/index.js";
import { createLatencyTable, layerKey, measureMissing, networkConfigs, networkOf } from "../../src/latency/index.js";
import { readModel } from "../../src/onnx/index.js";
import { findOperator } from "../../src/operators/index.js";
import { runHalp } from "../cli/run-halp.js";
import { writeSmallModel } from "../cli/small-model.js";
import { device } from "../latency/table-device.js";
import { leftInRedis, noRedis, startRedis, startWorker } from "./redis-server.js";

const folder = t.testdir();
const at = (name: string) => join(folder, name);
// Wide enough that the latency is that of its convolutions, however noisy the machine.
writeSmallModel(at("model.onnx"), 32, ["N", 3, 24, 24]);
writeSmallModel(at("small.onnx"), 16, ["N", 3, 16, 16]);
const skip = noRedis;

async function network() {
  const analyzed = analyzeGraph(await readModel(at("small.onnx")), findOperator, { batch: 1 });
  return {
    analyzed,
    configsFor: (traits: Parameters<typeof networkOf>[1]) => [
      ...networkConfigs(networkOf(analyzed, traits), { dimsOf: () => undefined }),
    ],
  };
}

/** Fills a table of the network on a device of the fleet. */
async function fill(
  fleet: Fleet,
  name: string,
  options: { readonly cacheDir?: string; readonly signal?: AbortSignal } = {},
) {
  const table = await createLatencyTable({
    ...options,
    remote: benchOn(fleet, { name, device: "cpu" }).openMeter,
    patienceMs: 0,
  });
  const { configsFor } = await network();
  const measured = await measureMissing(
    table,
    configsFor(table.device.traits),
    options.signal ? { signal: options.signal } : {},
  );
  return { table, measured };
}

t.test("a worker that is killed in the middle, and a Redis that loses all", { skip, timeout: 240_000 }, async (t) => {
  const redis = await startRedis();
  t.teardown(redis.stop);
  let worker = await startWorker(redis.url, "board");
  t.teardown(() => worker.kill());
  await using fleet = await openFleet({ redis: redis.url });
  const first = fill(fleet, "board");
  await sleep(600);
  await worker.kill();
  worker = await startWorker(redis.url, "board");
  const { table, measured } = await first;
  t.ok(measured > 0 && table.entries.size === measured, `${measured} layers, each once`);
  const second = fill(fleet, "board");
  await sleep(300);
  await redis.kill();
  await sleep(300);
  await redis.start();
  t.equal((await second).measured, measured, "the open task was put up again");
  await worker.kill("SIGINT");
  const third = fill(fleet, "board");
  worker = await startWorker(redis.url, "board");
  t.equal((await third).measured, measured, "a worker that starts anew between two tasks is waited for");
  {
    await using closed = await openFleet({ redis: redis.url });
    const open = t.rejects(fill(closed, "board"), { code: "HALP_CANCELLED" });
    await sleep(300);
    await closed[Symbol.asyncDispose]();
    await open;
    t.same(await leftInRedis(redis), [], "a fleet that is closed breaks off what is open");
  }
  await worker.kill("SIGINT");
  t.same(await leftInRedis(redis), []);
  const client = new Redis(redis.url);
  t.same(
    (await client.keys("*")).filter((key) => !key.endsWith("stalled-check")),
    [],
    "a worker that ends takes its queue along",
  );
  client.disconnect();
});

t.test("what cannot be done is said", { skip, timeout: 240_000 }, async (t) => {
  const redis = await startRedis({ password: "secret" });
  t.teardown(redis.stop);
  const worker = await startWorker(redis.url, "board");
  t.teardown(() => worker.kill());
  await t.rejects(openFleet({ redis: redis.url.replace("secret", "wrong") }), {
    code: "HALP_REDIS",
    message: /^((?!wrong).)*$/s,
  });
  await t.rejects(openFleet({ redis: "http://127.0.0.1" }), { code: "HALP_REDIS_URL" });
  await t.rejects(openFleet({ redis: "redis://127.0.0.1:1" }), { code: "HALP_REDIS" });
  await using fleet = await openFleet({ redis: redis.url, silenceMs: 1000 });
  t.match(await fleet.devices(), [{ name: "board", task: null }]);
  await t.rejects(fill(fleet, "boart"), { code: "HALP_DEVICE_UNKNOWN", message: /did you mean "board"/ });
  await t.rejects(
    fleet.send("board", "measure-models", { models: ["0".repeat(64)], inputs: {}, threads: 1, pin: "none", seed: 0 }),
    {
      code: "HALP_JOB_GONE",
    },
  );
  for (const [name, task] of [
    ["toString", {}],
    ["describe", { threads: -1, pin: "auto" }],
    ["describe", { threads: 1, pin: "auto", patienceMs: "long" }],
    ["measure-layers", { threads: 1, pin: "auto", device: {}, layers: [] }],
    ["measure-models", { models: ["../../etc/passwd"], inputs: {}, threads: 1, pin: "auto", seed: 0 }],
  ] as const)
    await t.rejects(
      fleet.send("board", name as "describe", task as never),
      { code: "HALP_JOB_TASK" },
      `${name} ${JSON.stringify(task)}`,
    );
  const controller = new AbortController();
  const began = fleet.send("board", "describe", { threads: 1, pin: "auto" }, { signal: controller.signal });
  await worker.until(/HALP_JOB_TASK[\s\S]*/);
  await sleep(300);
  controller.abort(new Error("no more"));
  await t.rejects(began, { message: "no more" });
  t.match(await runHalp(["worker", "--redis", redis.url, "--name", "no/name"]), {
    status: 2,
    stderr: /HALP_DEVICE_NAME/,
  });
  const models = [
    ["profile", at("model.onnx"), "-o", at("x.json")],
    ["prune", at("model.onnx"), "--budget", "60%"],
  ];
  for (const words of models)
    t.match(await runHalp([...words, "--redis", redis.url]), {
      status: 2,
      stderr: /HALP_OPTION_MISSING[\s\S]*--device/,
    });
  t.match(await runHalp([...models[1]!, "--redis", redis.url, "--device", "board,other"]), {
    status: 2,
    stderr: /HALP_DEVICE_UNKNOWN[\s\S]*"other"/,
  });
  const client = new Redis(redis.url);
  const info = JSON.parse((await client.get("halp:worker:board"))!);
  await client.set("halp:worker:twin", JSON.stringify({ ...info, name: "twin" }), "EX", 10);
  t.match(await runHalp([...models[0]!, "--redis", redis.url, "--device", "board,twin"]), {
    status: 2,
    stderr: /HALP_OPTION_CONFLICT[\s\S]*\{device\}/,
  });
  await client.set("halp:worker:old", JSON.stringify({ ...info, name: "old", version: "0.0.1" }));
  await t.rejects(fill(fleet, "old"), { code: "HALP_WORKER_VERSION", message: /0\.0\.1/ });
  client.disconnect();
  await worker.kill();
  await sleep(100);
  // Its sign of life lies there for some seconds yet; then it is silent.
  await t.rejects(fill(fleet, "board"), { code: /HALP_DEVICE_SILENT|HALP_DEVICE_UNKNOWN/ });
  const left = await leftInRedis(redis);
  t.same(
    left.filter((key) => !key.endsWith(":old")),
    [],
    "nothing is left of what failed",
  );
});

t.test("a worker's answers are held against what it was asked", async (t) => {
  const { configsFor } = await network();
  const [config] = configsFor(device.traits);
  const layers = [[layerKey(config!), config!] as const];
  const samples = { min: 1, q1: 1, median: 1, q3: 1, count: 9 };
  const entry = { config, ns: 5, samples, kernels: 1, layoutAsExpected: true };
  const answering = (entries: unknown) =>
    ({ send: async (_: string, task: string) => (task === "describe" ? device : entries) }) as unknown as Fleet;
  const measure = async (entries: unknown) => {
    using meter = await benchOn(answering(entries), { name: "board", device: "cpu" }).openMeter({
      threads: 1,
      pin: "none",
      gpu: {},
    });
    return await meter.measure(device, layers);
  };
  t.strictSame(await measure([[layers[0]![0], entry]]), [[layers[0]![0], entry]]);
  for (const wrong of [
    undefined,
    [],
    [[layers[0]![0], { ...entry, ns: -1 }]],
    [[layers[0]![0], null]],
    [["another", entry]],
    [
      [layers[0]![0], entry],
      [layers[0]![0], entry],
    ],
  ])
    await t.rejects(
      measure(wrong),
      { code: "HALP_JOB_RESULT", message: /^board/ },
      JSON.stringify(wrong)?.slice(0, 60),
    );
});

t.test("without the packages the command says what to install", async (t) => {
  const loader = `export const resolve = (s, c, next) => s === "bullmq" ? Promise.reject(new Error("Cannot find package")) : next(s, c);`;
  const hook = at("no-bullmq.mjs");
  writeFileSync(
    hook,
    `import { register } from "node:module"; register("data:text/javascript,${encodeURIComponent(loader)}");`,
  );
  t.match(await runHalp(["devices", "--redis", "redis://127.0.0.1:1"], "", { NODE_OPTIONS: `--import=${hook}` }), {
    status: 1,
    stderr: /HALP_JOBS_MISSING[\s\S]*npm install bullmq ioredis/,
  });
});
