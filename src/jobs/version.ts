import { readFileSync } from "node:fs";

/** Version of halp, from its package.json: four folders above this file's compiled form, build/src/jobs/version.js. */
export function halpVersion(): string {
  const text = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
