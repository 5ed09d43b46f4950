import t from "tap";
import { loadAddon, type Pinned, spawnChild } from "../../src/runtime/index.js";
import { type Core, chooseCores, coreList } from "../../src/runtime/pinning.js";

const core = (number: number, speed = 1, busy = 0, siblings = [number]): Core => ({ number, speed, busy, siblings });

t.test("the core to measure on: the fastest, the idlest, the last", (t) => {
  t.strictSame(chooseCores([core(0), core(1), core(2)], 1), [2], "the first serves interrupts");
  t.strictSame(chooseCores([core(0), core(1, 1, 0.02), core(2, 1, 0.9)], 1), [1], "a little busy is idle");
  t.strictSame(chooseCores([core(0, 2, 0.5), core(1), core(2)], 1), [0], "a fast core before an idle one");
  const threaded = [core(0, 1, 0, [0, 2]), core(1, 1, 0, [1, 3]), core(2, 1, 0, [0, 2]), core(3, 1, 0, [1, 3])];
  t.strictSame(chooseCores(threaded, 2), [3, 2], "no two of one physical core");
  t.strictSame(chooseCores(threaded, 3), [3, 2, 1], "unless there are no others");
  t.strictSame(chooseCores([core(5)], 2), [5]);
  t.strictSame(chooseCores([], 1), []);
  t.strictSame(coreList("0-2,8\n"), [0, 1, 2, 8]);
  t.strictSame(coreList(""), []);
  t.end();
});

const child = new URL("../../src/runtime/measure-child.js", import.meta.url);
const loaded = loadAddon();
const skip = !loaded.addon ? loaded.reason : process.platform === "linux" ? false : "Linux only";

t.test("a child pins itself, its parent stays free", { skip }, async (t) => {
  const { readCpu } = loaded.addon!;
  const before = readCpu().allowedCores!;
  {
    using measuring = spawnChild(child);
    const auto = await measuring.request<Pinned>("pin", { pin: "auto", threads: 1 });
    t.equal(auto.cores.length, 1);
    t.ok(before.includes(auto.cores[0]!));
    t.equal(auto.reason, undefined);
  }
  using measuring = spawnChild(child);
  t.strictSame(await measuring.request("pin", { pin: [before.at(-1)], threads: 1 }), { cores: [before.at(-1)] });
  t.strictSame(readCpu().allowedCores, before);
});

t.test("what cannot be had: named cores are refused, others make do", { skip }, async (t) => {
  using measuring = spawnChild(child);
  await t.rejects(measuring.request("pin", { pin: [8000], threads: 1 }), { code: "HALP_PIN", message: /core 8000/ });
  await t.rejects(measuring.request("pin", { pin: [0], threads: 2 }), { code: "HALP_PIN", message: /2 thread/ });
  t.match(await measuring.request("pin", { pin: "auto", threads: 5000 }), { cores: [], reason: /5000 threads/ });
  t.strictSame(await measuring.request("pin", { pin: "none", threads: 1 }), { cores: [] });
});
