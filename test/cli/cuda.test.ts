/** Commands that time on a GPU, against the stub driver. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { loadAddon } from "../../src/runtime/index.js";
import { compileStub, missingCompiler } from "../native/compile.js";
import { runHalp } from "./run-halp.js";
import { writeSmallModel } from "./small-model.js";

const loaded = loadAddon();
const skip = missingCompiler() ?? (loaded.addon ? false : loaded.reason);
const stub = skip === false ? compileStub(false).path : "";
const libraries = ["--cuda-library", stub, "--cudnn-library", stub];
const folder = t.testdir();
const file = (name: string) => join(folder, name);

async function withSwitches<T>(switches: Readonly<Record<string, string>>, work: () => Promise<T>): Promise<T> {
  Object.assign(process.env, switches);
  try {
    return await work();
  } finally {
    for (const name of Object.keys(switches)) delete process.env[name];
  }
}

t.test("doctor --cuda verifies a GPU", { skip }, async (t) => {
  const args = ["doctor", "--cuda", "--cache", file("cache"), ...libraries];
  const fine = await withSwitches({ STUB_COMPUTE: "2000000" }, () => runHalp([...args, "--json"]));
  t.equal(fine.status, 0, fine.stderr);
  const { checks, cuda } = JSON.parse(fine.stdout);
  t.match(
    checks.find((c: { name: string }) => c.name === "cuda check"),
    { status: "ok", value: /Stub GPU 0, cuDNN 9\.1\.0: timed twice within 0\.0 %, result within/ },
  );
  t.equal(cuda.convolutions.length, 10);
  const wrong = await withSwitches({ STUB_COMPUTE: "0" }, () => runHalp(args));
  t.match(wrong, { status: 1, stdout: /missing +cuda check[\s\S]*do\s+not\s+rely\s+on\s+tables[\s\S]*3x3, depthwise/ });
  const none = await withSwitches({ STUB_DEVICES: "0" }, () => runHalp(args));
  t.match(none, { status: 1, stdout: /HALP_CUDA[\s\S]*CUDA_ERROR_NO_DEVICE/ });
  const unasked = await runHalp(["doctor", "--cache", file("cache"), ...libraries]);
  t.match(unasked, { status: 0, stdout: /tried on one H100 alone/ });
});

t.test("profile --device cuda:0, and pruning by its table", { skip }, async (t) => {
  const model = file("small.onnx");
  writeSmallModel(model, 64);
  const gpu = ["--device", "cuda:0", ...libraries];
  const profile = ["profile", model, "-o", file("gpu.json"), "--cache", file("cache"), ...gpu, "--json"];
  const made = await withSwitches({ STUB_COMPUTE: "0" }, () => runHalp(profile));
  t.equal(made.status, 0, made.stderr);
  const result = JSON.parse(made.stdout);
  t.match(result, {
    device: { cpu: "Stub GPU 0", clock: "cuda-events", gpu: { precision: "fp32", layout: "NCHW" } },
    notCounted: { Flatten: 1, GlobalAveragePool: 1, Gemm: 1 },
  });
  const { entries } = JSON.parse(readFileSync(file("gpu.json"), "utf8"));
  t.ok(entries.every((e: { algorithm?: string }) => e.algorithm !== undefined));
  const again = await withSwitches({ STUB_COMPUTE: "0" }, () => runHalp(profile));
  t.match(JSON.parse(again.stdout), { measured: 0, entries: result.entries });

  const budget = ["--budget", "90%", "--criterion", "l1", "-o", file("out.onnx"), "--run", file("run"), "--json"];
  const pruned = await runHalp(["prune", model, ...budget, "--table", file("gpu.json"), "--device", "cuda:0"]);
  t.equal(pruned.status, 0, pruned.stderr);
  t.match(JSON.parse(pruned.stdout), { heldAgainst: "predicted" });
  t.match(await runHalp(["prune", model, ...budget, "--device", "cuda:0"]), {
    status: 2,
    stderr: /HALP_DEVICE_OPTION[\s\S]*halp profile/,
  });

  const failed = await withSwitches({ STUB_COMPUTE: "0", STUB_MEMORY: "1000" }, () =>
    runHalp([...profile, "--batch", "2"]),
  );
  t.match(failed, { status: 1, stdout: "", stderr: /HALP_CUDA[\s\S]*CUDA_ERROR_OUT_OF_MEMORY/ });
  t.match(await runHalp(["profile", model, "-o", file("x.json"), "--device", "gpu"]), {
    status: 2,
    stderr: /HALP_DEVICE_NAME/,
  });
});

t.test("profile --device ort-cuda:0 where there is no such provider", async (t) => {
  const model = file("plain.onnx");
  writeSmallModel(model, 8);
  const ran = await runHalp([
    "profile",
    model,
    "-o",
    file("ort.json"),
    "--cache",
    file("cache"),
    "--device",
    "ort-cuda:0",
  ]);
  if (ran.status === 0) t.pass("there is one here");
  else t.match(ran, { status: 1, stdout: "", stderr: /HALP_PROVIDER_MISSING[\s\S]*npm install/ });
});

t.test("--pin", async (t) => {
  const model = file("pinned.onnx");
  writeSmallModel(model, 8);
  const measure = (...pin: string[]) => runHalp(["measure", model, "--repeats", "3", "--json", "--pin", ...pin]);
  t.strictSame(JSON.parse((await measure("none")).stdout).cores, []);
  for (const text of ["all", "1,1", "-1", "1.5", ""]) t.match(await measure(text), { status: 2 }, text);
  if (loaded.addon && process.platform === "linux") {
    const [core = 0] = loaded.addon.readCpu().allowedCores ?? [];
    t.strictSame(JSON.parse((await measure(String(core))).stdout).cores, [core]);
    t.equal(JSON.parse((await measure("auto")).stdout).cores.length, 1);
    t.match(await measure("8000"), { status: 2, stderr: /HALP_PIN/ });
  } else t.match(await measure("0"), { status: 2, stderr: /HALP_PIN/ });
});
