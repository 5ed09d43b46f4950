/** Hands one target its inputs, in a process that may hang or fall. Arguments: target, first, last, folder, failures. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { HalpError } from "../../src/errors.js";
import { mutated } from "./mutate.js";
import { place } from "./target.js";
import { targets } from "./targets.js";

/** What an input did that it must not; undefined where it was read, or refused as it should be. */
async function tryInput(read: () => void | Promise<void>): Promise<string | undefined> {
  try {
    await read();
  } catch (error) {
    if (!(error instanceof HalpError)) return `${(error as Error)?.stack ?? error}`;
    if (!/^HALP_[A-Z0-9_]+$/.test(error.code) || error.code === "HALP_INTERNAL")
      return `${error.code}: ${error.message}`;
  }
  return Object.keys(Object.prototype).length > 0 || "polluted" in {} ? "Object.prototype was changed" : undefined;
}

const [name = "", first = "0", last = "0", folder = "", failures = ""] = process.argv.slice(2);
const target = targets.find((t) => t.name === name);
if (!target) throw new Error(`there is no target "${name}"`);
const seeds = await target.seeds();
mkdirSync(folder, { recursive: true });
await target.prepare?.(folder);
// What was found before is tried first.
const corpus = join("test/fuzz/corpus", name);
const found = existsSync(corpus) ? readdirSync(corpus) : [];
const progress = openSync(join(folder, "progress"), "w");
let failed = 0;
const check = async (label: string, bytes: Uint8Array) => {
  const path = place(target, folder, bytes);
  const wrong = await tryInput(() => target.read(path, bytes));
  if (wrong === undefined) return;
  failed++;
  mkdirSync(failures, { recursive: true });
  writeFileSync(join(failures, `${name}-${label}`), bytes);
  console.log(`${name} ${label}: ${wrong.split("\n").slice(0, 4).join("\n    ")}`);
};
for (const seed of seeds) await check("seed", seed);
for (const file of found) await check(file, readFileSync(join(corpus, file)));
for (let number = Number(first); number < Number(last); number++) {
  writeSync(progress, `${number}`.padEnd(16), 0);
  await check(String(number), mutated(seeds, number));
}
writeSync(progress, "done".padEnd(16), 0);
closeSync(progress);
writeFileSync(
  join(folder, "report.json"),
  JSON.stringify({ failed, peakBytes: process.resourceUsage().maxRSS * 1024 }),
);
process.exit(0);
