import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/**
 * Folder of an installed package, looked for beside halp and then from the current folder; undefined where it is not
 * there. By folders, not by `resolve`: packages may keep their package.json out of their exports.
 */
export function findPackage(name: string): string | undefined {
  for (const base of [import.meta.url, join(process.cwd(), "package.json")]) {
    for (const folder of createRequire(base).resolve.paths(name) ?? []) {
      const path = join(folder, name);
      if (existsSync(join(path, "package.json"))) return path;
    }
  }
  return undefined;
}
