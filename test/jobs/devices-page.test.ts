/** docs/devices.md, followed literally: two workers that pose as two devices, one of them pinned to a core and slowed. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import t from "tap";
import { openTable } from "../../src/latency/index.js";
import { runHalp } from "../cli/run-halp.js";
import { writeSmallModel } from "../cli/small-model.js";
import { leftInRedis, noRedis, slowCore, startRedis, startWorker } from "./redis-server.js";

const folder = t.testdir();
const at = (name: string) => join(folder, name);
// Wide enough that the latency is that of its convolutions, however noisy the machine.
writeSmallModel(at("model.onnx"), 32, ["N", 3, 24, 24]);
const skip = noRedis;

t.test("as the page of the docs says: two devices, a table each, plans for one and for both", { skip }, async (t) => {
  const page = readFileSync("docs/devices.md", "utf8")
    .split("\n## ")
    .find((part) => part.startsWith("Many devices"))!;
  const lines = [...page.matchAll(/^ {4}halp (.*)$/gm)].map(([, line = ""]) => line.replaceAll("'", "").split(" "));
  const redis = await startRedis();
  t.teardown(redis.stop);
  const here = (words: readonly string[]) =>
    words.map((word) =>
      word === "redis://127.0.0.1:6379" ? redis.url : /\.(onnx|json)$/.test(word) ? at(word) : word,
    );
  const workers = lines.filter(([command]) => command === "worker");
  t.equal(workers.length, 2);
  // While the tables are filled pi5 has to make do with one core, and with a part of that.
  const core = availableParallelism() - 1;
  const slowed = await slowCore(core);
  t.teardown(() => slowed?.stop());
  for (const words of workers) {
    const name = words[words.indexOf("--name") + 1]!;
    const by = name === "pi5" && slowed ? ["taskset", "-c", String(core)] : [];
    const worker = await startWorker(redis.url, name, [], by);
    t.teardown(() => worker.kill());
  }
  const [devices, profile, prune, pruneBoth, measure] = lines.filter(([command]) => command !== "worker").map(here);
  const listed = JSON.parse((await runHalp([...devices!, "--json"])).stdout);
  t.match(listed, { format: "halp.devices/1", devices: [{ name: "pi5" }, { name: "server" }] });
  for (const { silentSeconds: s } of listed.devices) t.ok(s >= 0 && s <= 15, `${s} s since the last sign of life`);
  const quick = ["--patience", "0", "--cache", at("cache"), "--json"];
  const profiled = await runHalp([...profile!, ...quick]);
  t.equal(profiled.status, 0, profiled.stderr);
  t.match(JSON.parse(profiled.stdout), {
    format: "halp.profiles/1",
    profiles: [{ measured: Number }, { measured: Number }],
  });
  slowed?.stop();
  const [pi5, server] = ["pi5", "server"].map((name) => {
    const table = openTable(at(`table-${name}.json`));
    t.ok(table.entries.size > 10 && table.device.fingerprint.endsWith(`@${name}`), name);
    return table;
  });
  const slower = [...pi5!.entries]
    .map(([key, { ns }]) => ns / (server!.entries.get(key)?.ns ?? ns))
    .sort((a, b) => a - b);
  t.comment(
    `in the middle a layer takes ${slower[slower.length >> 1]!.toFixed(2)} times as long on pi5 as on the server`,
  );
  const pruned = await runHalp([
    ...prune!,
    ...quick,
    "--criterion",
    "l1",
    "--run",
    at("run"),
    "--tolerance",
    "100%",
    "--rounds",
    "1",
  ]);
  t.equal(pruned.status, 0, pruned.stderr);
  const result = JSON.parse(pruned.stdout);
  t.match(result, { format: "halp.result/1", heldAgainst: "measured" });
  t.ok(result.latencyNs.pruned > 0 && result.parameters.pruned < result.parameters.dense);
  t.match(JSON.parse(readFileSync(at("run/device.json"), "utf8")), { isThisMachine: false });
  t.notMatch(readFileSync(at("run/config.json"), "utf8"), /redis:/, "the URL stays out of the run folder");

  // One round: what is measured would let the next one's targets go beyond the budgets.
  const tolerant = ["--criterion", "l1", "--run", at("run-both"), "--tolerance", "100%", "--rounds", "1"];
  const prunedBoth = await runHalp([...pruneBoth!, ...quick, ...tolerant]);
  t.equal(prunedBoth.status, 0, prunedBoth.stderr);
  const { devices: on } = JSON.parse(prunedBoth.stdout);
  t.match(on, [
    { name: "pi5", budgetRatio: 0.6, heldAgainst: "measured" },
    { name: "server", budgetRatio: 0.75, heldAgainst: "measured" },
  ]);
  for (const d of on) t.ok(d.predictedRatio <= d.budgetRatio && d.latencyNs.pruned > 0, d.name);
  t.not(on[0].latencyNs.dense, on[1].latencyNs.dense, "each was measured");
  t.match(JSON.parse(readFileSync(at("run-both/problem.json"), "utf8")).budgets, { pi5: Number, server: Number });
  const measured = await runHalp([...measure!, "--repeats", "10", "--json"]);
  t.equal(measured.status, 0, measured.stderr);
  t.match(JSON.parse(measured.stdout), {
    ...{ format: "halp.measurement/1", device: "server", ratio: Number },
    latencyNs: { model: { count: 10 }, against: { count: 10 } },
  });
  t.same(await leftInRedis(redis), [], "nothing is left in Redis");
});
