/** What was held fixed, asked for and measured on. */

import { time } from "../format.js";
import type { ReportData } from "../report-data.js";
import { html, section, table } from "./dom.js";

export function frozenSection({ result }: ReportData): HTMLElement {
  const frozen = result.groups.filter((g) => g.frozen !== undefined);
  const rows = frozen.map((g) => [g.name, `${g.dense}`, g.frozen ?? ""]);
  return section(
    "Frozen groups",
    frozen.length === 0
      ? html("p", {}, "None: every group had a choice.")
      : table("Groups that stayed whole, and why", ["group", "channels", "reason"], rows, 9),
  );
}

export function configSection({ config }: ReportData): HTMLElement {
  const { format: _, ...options } = config ?? {};
  const rows = Object.entries(options).map(([name, value]) => [
    name,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  return section(
    "Options",
    config === null
      ? html("p", {}, "The run kept no options.")
      : table("Options of the run, as resolved", ["option", "value"], rows, 9),
  );
}

export function deviceSection({ device }: ReportData): HTMLElement {
  if (device === null) return section("Device", html("p", {}, "The run kept nothing of its device."));
  const { runtime, calibration, conditions, gpu } = device;
  const known = [
    ["processor", device.cpu],
    ["the machine of the run", device.isThisMachine ? "yes" : "no: the table is of another device"],
    ["cores, threads used", `${device.cores}, ${device.threads}`],
    ["measured on cores", conditions?.cores.length ? conditions.cores.join(", ") : undefined],
    ["runtime", `${runtime.name} ${runtime.version}, ${runtime.provider}`],
    ["precision", device.precision],
    ["times from", device.clock],
    ["channels in a block", device.traits?.blockSize],
    ["a run apart from its layers", calibration ? time(calibration.runNs) : undefined],
    ["platform", `${device.platform} ${device.arch}, Node ${device.node}`],
    ["GPU", gpu ? `${gpu.name}, driver ${gpu.driverVersion}, cuDNN ${gpu.cudnnVersion}` : undefined],
    ["load when begun", conditions?.load],
    [
      "instruction sets",
      device.flags?.filter((f) => /^(avx|sse4|fma|amx|neon|asimd|sve)/.test(f)).join(" ") || undefined,
    ],
    ["fingerprint", device.fingerprint],
  ] as const;
  const rows = known.flatMap(([name, value]) => (value === undefined ? [] : [[name, `${value}`]]));
  return section("Device", table("What the latencies are of", ["", ""], rows, 9));
}
