import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { busyShares, doubtsBefore, doubtsDuring, readConditions, readTicks } from "../../src/runtime/conditions.js";

const stat = (stolen: number) =>
  `cpu  100 0 50 800 50 0 0 ${stolen} 0 0\ncpu0 60 0 30 400 20 0 0 0 0 0\ncpu7 40 0 20 400 30 0 0 ${stolen} 0 0\nintr 1\n`;

const root = t.testdir({
  sys: {
    devices: {
      system: {
        cpu: {
          cpu3: {
            cpufreq: {
              scaling_governor: "powersave\n",
              scaling_cur_freq: "800000\n",
              cpuinfo_min_freq: "400000\n",
              cpuinfo_max_freq: "4200000\n",
            },
          },
        },
      },
    },
    fs: { cgroup: { "cpu.stat": "usage_usec 5\nnr_periods 9\nnr_throttled 4\n" } },
  },
  proc: { loadavg: "3.25 2.00 1.00 2/300 1234\n", stat: stat(0) },
});

t.test("governor, clock and load as the system tells them", (t) => {
  const { cores, ...told } = readConditions(3, root);
  t.ok(cores >= 1);
  t.strictSame(told, { governor: "powersave", currentKHz: 800000, minKHz: 400000, maxKHz: 4200000, load: 3.25 });
  t.strictSame(Object.keys(readConditions(4, root)).sort(), ["cores", "load"], "what it does not tell is absent");
  t.strictSame(readTicks(root), {
    total: 1000,
    stolen: 0,
    perCore: new Map([
      [0, { busy: 90, total: 510 }],
      [7, { busy: 60, total: 490 }],
    ]),
    throttled: 4,
  });
  t.equal(readTicks(`${root}/sys`), undefined);
  t.ok(readConditions().load >= 0, "and of this machine");
  t.end();
});

t.test("doubts", (t) => {
  const fine = { load: 0.4, cores: 4 };
  t.strictSame(doubtsBefore({ ...fine, governor: "performance" }, 1), []);
  t.strictSame(doubtsBefore(fine, 1), [], "a system that says nothing raises none");
  t.match(doubtsBefore({ ...fine, governor: "powersave" }, 1), [/governed by "powersave"/]);
  t.match(doubtsBefore({ load: 3.6, cores: 4 }, 1), [/Other work/]);
  t.strictSame(doubtsBefore({ load: 3.4, cores: 4 }, 1), [], "a core is left");
  t.strictSame(doubtsBefore({ load: 1.2, cores: 1 }, 1), [], "what measures is part of the load");
  t.match(doubtsBefore({ load: 2, cores: 1 }, 1), [/Other work/]);
  const ticks = { total: 1000, stolen: 10, perCore: new Map(), throttled: 2 };
  t.strictSame(doubtsDuring(ticks, { ...ticks, total: 2000, stolen: 29 }), []);
  t.match(doubtsDuring(ticks, { ...ticks, total: 2000, stolen: 31 }), [/hypervisor/]);
  t.match(doubtsDuring(ticks, { ...ticks, total: 2000, throttled: 3 }), [/quota/]);
  t.strictSame(doubtsDuring(undefined, ticks), []);
  t.end();
});

t.test("how busy each core was", { skip: readTicks() ? false : "the system does not say" }, async (t) => {
  const shares = await busyShares(() => sleep(60));
  for (const [core, share] of shares) t.ok(share >= 0 && share <= 1, `core ${core}: ${share}`);
});
