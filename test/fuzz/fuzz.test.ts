/** Some thousands of broken inputs, and all that was found before: only a HalpError may come out. `npm run fuzz` takes a million. */
import { join } from "node:path";
import t from "tap";
import { fuzz } from "./fuzz.js";
import { mutated } from "./mutate.js";
import { place } from "./target.js";
import { targets } from "./targets.js";

t.test("what the inputs are made of can be read", async (t) => {
  for (const target of targets) {
    const folder = join(t.testdir(), target.name);
    for (const seed of await target.seeds()) {
      const path = place(target, folder, seed);
      await target.prepare?.(folder);
      await target.read(path, seed);
      t.pass(target.name);
    }
  }
});

t.test("the same number is the same input", async (t) => {
  const seeds = [Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), new TextEncoder().encode('{"a": [1, 2.5]}')];
  const inputs = Array.from({ length: 200 }, (_, i) => mutated(seeds, i));
  t.strictSame(
    inputs,
    inputs.map((_, i) => mutated(seeds, i)),
  );
  t.ok(new Set(inputs.map((x) => x.join())).size > 150, "and they differ");
});

t.test("2500 inputs", async (t) => {
  const said: string[] = [];
  const outcomes = await fuzz({
    count: Math.ceil(2500 / targets.length),
    seed: 0,
    failures: join(t.testdir(), "failures"),
    say: (line) => said.push(line),
  });
  for (const { target, inputs, failed, peakBytes } of outcomes) {
    t.equal(failed, 0, `${target}: ${inputs} inputs\n${said.filter((s) => s.startsWith(target)).join("\n")}`);
    t.ok(peakBytes < 600 * 2 ** 20, `${target}: ${peakBytes} bytes at most`);
  }
  t.equal(outcomes.length, targets.length);
});
