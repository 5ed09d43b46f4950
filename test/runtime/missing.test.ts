import { spawnSync } from "node:child_process";
import t from "tap";

t.test("a missing runtime is told with the command that installs it", (t) => {
  const hide = `
    import Module from "node:module";
    const resolve = Module._resolveFilename;
    Module._resolveFilename = (name, ...rest) => {
      if (name.startsWith("onnxruntime-node")) throw new Error("Cannot find module '" + name + "'");
      return resolve(name, ...rest);
    };`;
  const url = new URL("../../src/runtime/index.js", import.meta.url).href;
  const use = `
    import { runtimeVersion, createSession } from ${JSON.stringify(url)};
    for (const f of [runtimeVersion, () => createSession(new Uint8Array(0))])
      try { f(); } catch (e) { console.log(e.code, e.exitCode, e.message); }`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--import", `data:text/javascript,${encodeURIComponent(hide)}`, "--input-type=module", "--eval", use],
    { encoding: "utf8" },
  );
  t.equal(stderr, "");
  t.equal(stdout.match(/HALP_RUNTIME_MISSING 1 /g)?.length, 2);
  t.match(stdout, /npm install onnxruntime-node/);
  t.end();
});
