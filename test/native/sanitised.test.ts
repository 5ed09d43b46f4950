/** The addon itself under the sanitisers for addresses and undefined behaviour, in threads that come and go. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import t from "tap";
import { compileSanitisedAddon, compileStub, missingCompiler, sanitiserRuntime } from "./compile.js";

const noCompiler = missingCompiler();
const skip = noCompiler ?? (existsSync(sanitiserRuntime()) ? false : "there is no libasan");

t.test("threads at once, threads ended in the middle of a call, loading again and again", { skip }, async (t) => {
  const [addon, stub] = [compileSanitisedAddon(), compileStub(true)];
  if (addon.failure?.startsWith("there are no headers")) {
    t.skip(addon.failure, () => {});
    return;
  }
  t.equal(addon.failure ?? stub.failure, undefined, "both compile without a warning");
  const run = spawnSync(process.execPath, ["build/test/native/sanitised-child.js", resolve(addon.path), stub.path], {
    encoding: "utf8",
    timeout: 200_000,
    env: {
      ...process.env,
      NODE_OPTIONS: "",
      LD_PRELOAD: sanitiserRuntime(),
      // What Node itself does not give back is not looked for.
      ASAN_OPTIONS: "detect_leaks=0",
      UBSAN_OPTIONS: "print_stacktrace=1",
    },
  });
  t.equal(run.status, 0, "nothing was found", { output: run.stderr.split("\n").slice(0, 40) });
  t.match(run.stdout, /6 threads at once, 12 ended in the middle/);
  t.notMatch(run.stderr, /Sanitizer|runtime error/);
});
