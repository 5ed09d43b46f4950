/** A worker that stands for a GPU, against the stub driver. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { loadAddon } from "../../src/runtime/index.js";
import { runHalp } from "../cli/run-halp.js";
import { writeSmallModel } from "../cli/small-model.js";
import { compileStub, missingCompiler } from "../native/compile.js";
import { leftInRedis, noRedis, startRedis, startWorker } from "./redis-server.js";

const loaded = loadAddon();
const skip = noRedis || (missingCompiler() ?? (loaded.addon ? false : loaded.reason));
const folder = t.testdir();
const at = (name: string) => join(folder, name);
writeSmallModel(at("model.onnx"), 32);

t.test("layers are timed on its GPU, whole networks are not", { skip }, async (t) => {
  const { path: stub } = compileStub(false);
  const gpu = ["--device", "cuda:0", "--cuda-library", stub, "--cudnn-library", stub];
  process.env.STUB_COMPUTE = "0";
  t.teardown(() => {
    delete process.env.STUB_COMPUTE;
  });
  const redis = await startRedis();
  t.teardown(redis.stop);
  const worker = await startWorker(redis.url, "gpubox", gpu);
  t.teardown(() => worker.kill());
  const elsewhere = ["--device", "gpubox", "--redis", redis.url, "--json"];
  const listed = JSON.parse((await runHalp(["devices", "--redis", redis.url, "--json"])).stdout);
  t.match(listed.devices, [{ name: "gpubox", device: "cuda:0", providers: ["cpu"] }]);
  const profile = (out: string, cache: string, more: readonly string[]) =>
    runHalp(["profile", at("model.onnx"), "-o", at(out), "--cache", at(cache), ...more]);
  const there = await profile("there.json", "cache", elsewhere);
  t.equal(there.status, 0, there.stderr);
  const here = await profile("here.json", "other-cache", [...gpu, "--json"]);
  t.equal(here.status, 0, here.stderr);
  const [a, b] = ["there.json", "here.json"].map((name) => JSON.parse(readFileSync(at(name), "utf8")));
  t.match(a.device, { cpu: "Stub GPU 0", clock: "cuda-events", fingerprint: /@gpubox$/ });
  const layers = ({
    entries,
  }: {
    readonly entries: readonly { readonly config: object; readonly algorithm: string }[];
  }) => entries.map(({ config, algorithm }) => [config, algorithm]);
  t.strictSame(layers(a), layers(b), "the layers of a GPU that is at hand");
  for (const words of [
    ["prune", at("model.onnx"), "--budget", "60%"],
    ["measure", at("model.onnx")],
  ])
    t.match(await runHalp([...words, ...elsewhere]), {
      status: 2,
      stderr: /HALP_DEVICE_OPTION[\s\S]*gpubox stands for a GPU[\s\S]*--table/,
      stdout: "",
    });
  t.same(await leftInRedis(redis), []);
  const none = ["worker", "--redis", redis.url, "--name", "none", ...gpu, "--device", "cuda:7"];
  t.match(await runHalp(none), { stderr: /There is no CUDA device 7/, stdout: "" });
});
