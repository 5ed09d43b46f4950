import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import t from "tap";

// The measure is taken in a process of its own, where nothing else allocates: tap does, all the time.

t.test("solveInto and resolveInto allocate nothing", async (t) => {
  const child = fileURLToPath(new URL("./flat-allocation-child.js", import.meta.url));
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--expose-gc", child], { encoding: "utf8" });
  t.equal(status, 0, stderr);
  // the smallest thing on the heap takes 12 bytes; what is left is the measure's own
  const bytes = JSON.parse(stdout) as Record<string, number>;
  for (const [what, perCall] of Object.entries(bytes)) t.ok(perCall < 4, `${what}: ${perCall} bytes a call`);
  t.same(Object.keys(bytes), ["solveInto", "resolveInto", "with limits"]);
});
