/** Biome has nothing to say, so that `npm test` alone tells whether a change is fit to go in. */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import t from "tap";

t.test("biome check", async (t) => {
  const biome = createRequire(import.meta.url).resolve("@biomejs/biome/bin/biome");
  const { status, stdout, stderr } = spawnSync(process.execPath, [biome, "check", "--colors=off", "."], {
    encoding: "utf8",
  });
  t.equal(status, 0, "biome check . passes", { output: `${stdout}\n${stderr}`.split("\n").slice(0, 60) });
});
