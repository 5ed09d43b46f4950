// Builds the C++ addon where a compiler is at hand. Without one halp works all the same: only thread pinning and CUDA timing are missing.
// node-gyp cleans and fills a folder named build/ beside binding.gyp. So that it never meets tsc's build/, it works on a copy of both
// binding.gyp and native/ in build/addon/; the addon ends as build/native/halp_native.node, with its types beside it. For the same
// reason package.json says "gypfile": false: without it npm would run 'node-gyp rebuild' in the root on every install.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const work = join(root, "build/addon");
const target = join(root, "build/native");
const addon = join(target, "halp_native.node");

mkdirSync(work, { recursive: true });
mkdirSync(target, { recursive: true });
cpSync(join(root, "native/addon.d.ts"), join(target, "addon.d.ts"));
// npm takes a binding.gyp in a package's root for an install script, so the published package has it only here.
const gyp = [join(root, "binding.gyp"), join(target, "binding.gyp")].find((file) => existsSync(file));
if (gyp !== join(target, "binding.gyp")) cpSync(gyp, join(target, "binding.gyp"));
cpSync(gyp, join(work, "binding.gyp"), { preserveTimestamps: true });
cpSync(join(root, "native"), join(work, "native"), { recursive: true, preserveTimestamps: true });
const failure = build();
if (failure === undefined) {
  // Removed first: a process that has the old one open keeps it, and none sees half of the new one.
  rmSync(addon, { force: true });
  cpSync(join(work, "build/Release/halp_native.node"), addon);
} else {
  rmSync(addon, { force: true });
  console.error(
    `halp: the C++ addon was not built (${failure.reason}).\n` +
      "  Everything else works; missing are thread pinning and CUDA timing. To have them, install a C++17 compiler, make and Python 3,\n" +
      `  then run: npm run build:native\n  ${failure.detail}`,
  );
}

function build() {
  let nodeGyp;
  try {
    nodeGyp = createRequire(import.meta.url).resolve("node-gyp/bin/node-gyp.js");
  } catch {
    return { reason: "the package node-gyp is not installed", detail: "npm install node-gyp" };
  }
  // Node's headers lie beside it where it was installed from an archive or a package: then nothing need be downloaded.
  const prefix = dirname(dirname(process.execPath));
  const headers = !process.env.npm_config_nodedir && existsSync(join(prefix, "include/node/node_api.h"));
  // Not 'rebuild': what did not change is not compiled again.
  const args = ["configure", "build", "--loglevel=error", "--directory", work];
  if (headers) args.push("--nodedir", prefix);
  const run = spawnSync(process.execPath, [nodeGyp, ...args], { cwd: root, encoding: "utf8" });
  if (run.status === 0) return undefined;
  const detail = `${run.stderr ?? ""}`
    .split("\n")
    .filter((line) => /error|not found|could not/i.test(line))
    .slice(0, 6)
    .join("\n  ");
  return { reason: run.error?.message ?? `node-gyp ended with ${run.status}`, detail };
}
