// Reads a TAP stream, prints what failed and ends with the line 'N passed, N failed' (and ', N skipped').
import { existsSync, readFileSync } from "node:fs";

const [tapFile, errFile] = process.argv.slice(2);
const lines = readFileSync(tapFile, "utf8").split("\n");
let passed = 0;
let failed = 0;
let skipped = 0;
lines.forEach((line, i) => {
  const m = /^(\s*)(not )?ok\b(.*)$/.exec(line);
  if (!m) return;
  // A line that closes a subtest counts its children, not itself.
  if (/\{\s*$/.test(line)) return;
  const before = lines[i - 1] ?? "";
  if (/^\s*1\.\.\d+/.test(before) && before.search(/\S/) > m[1].length) return;
  if (/# (skip|todo)/i.test(m[3])) skipped++;
  else if (m[2]) {
    failed++;
    console.log(lines.slice(i, i + 25).join("\n"));
  } else passed++;
});
if (failed > 0 && errFile && existsSync(errFile)) console.log(readFileSync(errFile, "utf8").slice(-4000));
console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
