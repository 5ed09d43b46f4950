/** What users of the package rely on: its exports resolve, and the solver stands alone. */
import { existsSync, readFileSync } from "node:fs";
import t from "tap";
import { importsOf } from "./source.js";

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly bin: Readonly<Record<string, string>>;
}
const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;

t.test("every export of package.json is there, with types, and can be imported", async (t) => {
  for (const [name, target] of Object.entries(manifest.exports)) {
    if (typeof target === "string") {
      t.ok(existsSync(target), `${name} is ${target}`);
      continue;
    }
    t.ok(existsSync(target.types), `types of ${name}`);
    const specifier = `halp${name.slice(1)}`;
    const exported = (await import(specifier)) as object;
    t.ok(Object.keys(exported).length > 0, `${specifier} exports something`);
  }
  for (const [name, file] of Object.entries(manifest.bin)) t.ok(existsSync(file), `command ${name} is ${file}`);
});

t.test("halp/solver depends on no package and on nothing of Node", async (t) => {
  const seen = new Set(["src/solver/index.ts"]);
  for (const file of seen) {
    for (const { specifier, file: target, typeOnly } of importsOf(file)) {
      if (typeOnly) continue;
      if (target === undefined) t.fail(`${file} imports ${specifier}`);
      else if (specifier.endsWith(".js")) seen.add(target);
    }
  }
  t.ok(seen.size > 1, `${seen.size} files`);
});
