/** Nothing that halp decides depends on the clock of the day, which may be set back: durations come from a clock that only rises. */
import { readFileSync } from "node:fs";
import t from "tap";
import { sourceFiles } from "./source.js";

const readers: Readonly<Record<string, string>> = {
  "src/pipeline/run-lock.ts": "says in a lock since when, for people to read",
  "src/cli/command.ts": "says how to go on only if this command saved something",
};

t.test("the clock of the day is read where it decides nothing", async (t) => {
  const reading = sourceFiles("src").filter((file) =>
    /\bnew Date\b|\bDate\.now\b|\bDate\(\)/.test(readFileSync(file, "utf8")),
  );
  t.strictSame(reading, Object.keys(readers).sort());
});
