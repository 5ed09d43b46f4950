/** What lies between the machines: TLS, and cables that are cut. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createServer as createTlsServer } from "node:tls";
import t, { type Test } from "tap";
import { analyzeCoupling } from "../../src/coupling/index.js";
import { specForModel } from "../../src/evaluation/index.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import { benchOn, crewOf, type Fleet, localCrew, openFleet, type ScoreJob } from "../../src/jobs/index.js";
import { createLatencyTable, measureMissing, networkConfigs, networkOf } from "../../src/latency/index.js";
import { readModel } from "../../src/onnx/index.js";
import { findOperator } from "../../src/operators/index.js";
import type { Saliency } from "../../src/saliency/index.js";
import { runHalp } from "../cli/run-halp.js";
import { writeSmallData } from "../cli/small-data.js";
import { writeSmallModel } from "../cli/small-model.js";
import { layCable, noCable } from "./cable.js";
import { leftInRedis, noRedis, noTls, startRedis, startWorker } from "./redis-server.js";

const folder = t.testdir();
const at = (name: string) => join(folder, name);
writeSmallModel(at("model.onnx"), 32);
mkdirSync(at("data"));
writeSmallData(at("data"));

const analyzed = analyzeGraph(await readModel(at("model.onnx")), findOperator, { batch: 4 });
const [dims = []] = analyzed.inputDims.values();
/** Takes some seconds. */
const job: ScoreJob = {
  ...{ analyzed, coupling: analyzeCoupling(analyzed, findOperator, {}), criterion: "taylor" },
  data: { kind: "stored", spec: specForModel(dims, { path: at("data"), split: "train" }) },
  ...{ limit: 1000, shuffleSeed: 5, seed: 9, loss: "projection", projections: 40 },
};
const bits = ({ importance, batches }: Saliency) => [Buffer.from(importance.buffer).toString("base64"), batches];

/** Scores, and has something happen once some batches are done. */
async function disturbed(fleet: Fleet, then: () => Promise<void>) {
  let happened: Promise<void> | undefined;
  const scored = await crewOf(fleet).score({
    ...job,
    onProgress: ({ done, total }) => {
      if (done > total / 4) happened ??= then();
    },
  });
  if (!happened) throw new Error("it did not come in the middle");
  await happened;
  return bits(scored);
}

t.test("TLS, with and without trust", { skip: noRedis || noTls, timeout: 240_000 }, async (t) => {
  const authority = makeAuthority("authority");
  const own = makeCertificate("own", authority, "IP:127.0.0.1,DNS:localhost");
  const redis = await startRedis({ password: "secret", tls: { authority: authority.certificate, ...own } });
  t.teardown(redis.stop);
  const trusting = { NODE_EXTRA_CA_CERTS: authority.certificate };
  const by = ["env", `NODE_EXTRA_CA_CERTS=${authority.certificate}`];
  const worker = await startWorker(redis.url, "board", ["--data-root", folder], by);
  t.teardown(() => worker.kill());
  const run = (words: readonly string[], url = redis.url, env: NodeJS.ProcessEnv = trusting) =>
    runHalp([...words, "--redis", url], "", env);
  for (const url of [redis.url, redis.url.replace("127.0.0.1", "localhost")]) {
    const listed = await run(["devices", "--json"], url);
    t.equal(listed.status, 0, listed.stderr);
    t.match(JSON.parse(listed.stdout), { devices: [{ name: "board" }] });
  }
  const evaluate = ["evaluate", at("model.onnx"), "--data", at("data"), "--limit", "50", "--json"];
  const [here, there] = [await runHalp(evaluate), await run([...evaluate, "--workers"])];
  t.equal(there.status, 0, there.stderr);
  t.strictSame(JSON.parse(there.stdout), JSON.parse(here.stdout));
  t.same(await leftInRedis(redis), []);

  const refused = async (url: string, env: NodeJS.ProcessEnv, why: RegExp, command = "devices") => {
    const { status, stderr } = await run([command], url, env);
    t.equal(status, 1, url);
    t.match(stderr, /HALP_REDIS\b/);
    t.match(stderr.replace(/\s+/g, " "), why);
    t.notMatch(stderr, /secret/);
  };
  for (const command of ["devices", "worker"])
    await refused(redis.url, {}, /self-signed certificate.*NODE_EXTRA_CA_CERTS/, command);
  await refused(redis.url.replace("secret", "wrong"), trusting, /WRONGPASS.*password/);
  await refused(redis.url.replace("rediss:", "redis:"), {}, /rediss:\/\//);

  const elsewhere = makeCertificate("elsewhere", authority, "DNS:elsewhere.example");
  const impostor = createTlsServer({ cert: readFileSync(elsewhere.certificate), key: readFileSync(elsewhere.key) });
  const mute = createServer(() => {});
  for (const server of [impostor, mute]) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.teardown(() => server.close());
  }
  const urlOf = (server: Server) => `rediss://:secret@127.0.0.1:${(server.address() as AddressInfo).port}`;
  await refused(urlOf(impostor), trusting, /127\.0\.0\.1 is not.*give the host/i);
  await refused(urlOf(impostor), {}, /unable to verify.*NODE_EXTRA_CA_CERTS/);
  await Promise.all([
    refused(urlOf(mute), trusting, /TLS/),
    refused(urlOf(mute).replace("rediss:", "redis:"), {}, /rediss:\/\//),
  ]);
});

/** A worker at the other end of a cable, and Redis at one of its ends. */
async function farWorker(t: Test, redisAt: "here" | "there") {
  const cable = layCable();
  t.teardown(cable.remove);
  const by = redisAt === "there" ? cable.by : [];
  const redis = await startRedis({ bind: cable[redisAt], password: "secret", by });
  t.teardown(redis.stop);
  const worker = await startWorker(redis.url, "far", ["--data-root", folder], cable.by);
  t.teardown(() => worker.kill());
  /** Redis keeps its address. */
  const cut = async () => cable.cut(redisAt === "here" ? "there" : "here");
  const cutFor = async (ms: number) => {
    await cut();
    await sleep(ms);
    cable.mend();
  };
  return { redis, worker, cut, cutFor };
}

/** Short: TCP sends again what was lost. Long: signs of life and locks are gone, and connections given up. */
const [shortMs, longMs] = [4000, 18_000];

t.test("a cable that is cut in the middle of work", { skip: noRedis || noCable, timeout: 240_000 }, async (t) => {
  const expected = bits(await localCrew().score(job));
  const workerAway = async ({ redis, worker, cut, cutFor }: Awaited<ReturnType<typeof farWorker>>) => {
    await using fleet = await openFleet({ redis: redis.url });
    t.strictSame(await disturbed(fleet, () => cutFor(longMs)), expected, "the worker is cut off for long");
    const filled = fill(fleet, "far");
    await worker.until(/describe/);
    await cutFor(shortMs);
    const { table, measured } = await filled;
    t.ok(measured > 0 && table.entries.size === measured, `${measured} layers, each once`);
    t.same(await leftInRedis(redis), []);

    await using impatient = await openFleet({ redis: redis.url, silenceMs: 1000 });
    await t.rejects(disturbed(impatient, cut), { code: "HALP_DEVICE_SILENT" }, "the worker stays cut off");
    await t.rejects(crewOf(impatient).score(job), { code: "HALP_NO_WORKERS" });
    t.same(await leftInRedis(redis), []);
  };
  const redisAway = async ({ redis, cut, cutFor }: Awaited<ReturnType<typeof farWorker>>) => {
    await using fleet = await openFleet({ redis: redis.url });
    for (const ms of [shortMs, longMs])
      t.strictSame(await disturbed(fleet, () => cutFor(ms)), expected, `Redis is cut off for ${ms} ms`);
    t.same(await leftInRedis(redis), []);

    await using impatient = await openFleet({ redis: redis.url, silenceMs: 1000 });
    const lost = { code: "HALP_REDIS", message: /has been away/ };
    await t.rejects(disturbed(impatient, cut), lost, "Redis stays cut off");
    await t.rejects(impatient.devices(), lost);
    t.match(await runHalp(["devices", "--redis", redis.url]), { status: 1, stderr: /HALP_REDIS\b/ });
  };
  const [here, there] = [await farWorker(t, "here"), await farWorker(t, "there")];
  await Promise.all([workerAway(here), redisAway(there)]);
});

/** Fills a table of the network on a device of the fleet. */
async function fill(fleet: Fleet, name: string) {
  const table = await createLatencyTable({ remote: benchOn(fleet, { name, device: "cpu" }).openMeter, patienceMs: 0 });
  const network = networkOf(analyzed, table.device.traits);
  return { table, measured: await measureMissing(table, networkConfigs(network, { dimsOf: () => undefined })) };
}

interface Certificate {
  /** Files in PEM. */
  readonly certificate: string;
  readonly key: string;
}

/** An authority that nobody knows. */
function makeAuthority(name: string): Certificate {
  return openssl(name, ["-x509", "-days", "2"]);
}

/** @param names "IP:127.0.0.1,DNS:localhost" */
function makeCertificate(name: string, authority: Certificate, names: string): Certificate {
  const { certificate: request, key } = openssl(`${name}-request`, []);
  const certificate = at(`${name}.pem`);
  writeFileSync(at(`${name}.txt`), `subjectAltName=${names}\n`);
  const signed = ["-CA", authority.certificate, "-CAkey", authority.key, "-CAcreateserial", "-days", "2"];
  const words = ["x509", "-req", "-in", request, ...signed, "-extfile", at(`${name}.txt`), "-out", certificate];
  execFileSync("openssl", words, { stdio: "ignore" });
  return { certificate, key };
}

/** A key, and a request of a certificate for it, or with `-x509` that certificate. */
function openssl(name: string, more: readonly string[]): Certificate {
  const made = { certificate: at(`${name}.pem`), key: at(`${name}.key`) };
  const words = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", `/CN=${name}`];
  execFileSync("openssl", [...words, "-keyout", made.key, "-out", made.certificate, ...more], { stdio: "ignore" });
  return made;
}
