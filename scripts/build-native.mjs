// Builds the C++ addon where a compiler is at hand. Without one halp works all the same: only thread pinning and CUDA timing are missing.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const nodeGyp = createRequire(import.meta.url).resolve("node-gyp/bin/node-gyp.js");
const built = spawnSync(process.execPath, [nodeGyp, "rebuild", "--silent"], { cwd: root, encoding: "utf8" });
if (built.status !== 0) {
  const cause = `${built.stderr ?? ""}`.trim().split("\n").slice(-4).join("\n  ");
  console.error(
    `halp: the C++ addon was not built (${built.error?.message ?? `node-gyp ended with ${built.status}`}).\n` +
      "  Everything else works; missing are thread pinning and CUDA timing. To have them, install a C++17 compiler, make and Python 3,\n" +
      `  then run: npm run build:native\n  ${cause}`,
  );
}
