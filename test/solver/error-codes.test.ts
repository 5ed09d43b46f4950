import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";

t.test("docs/solver-errors.md tells of every code of the solver, and of no other", async (t) => {
  const folder = "build/src/solver";
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith(".js"));
  const codes = (text: string): string[] => [...text.matchAll(/["`](HALP_[A-Z_]+)["`]/g)].map((m) => m[1]!);
  const thrown = new Set(files.flatMap((f) => codes(readFileSync(join(folder, f), "utf8"))));
  const told = new Set(codes(readFileSync("docs/solver-errors.md", "utf8")));
  t.same([...told].sort(), [...thrown].sort());
  t.ok(thrown.size > 20);
});
