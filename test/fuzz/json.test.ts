import fc from "fast-check";
import t from "tap";
import { jsonDepth, parseJson } from "../../src/json.js";

t.test("what JSON.parse reads, it reads", async (t) => {
  fc.assert(
    fc.property(fc.json({ stringUnit: "binary" }), (text) => {
      t.strictSame(parseJson(text), JSON.parse(text));
    }),
  );
  for (const text of ['"\\\\"', '["\\"[", "\\\\\\"{", "]"]', '{"[[[": "{\\\\"}'])
    t.strictSame(parseJson(text), JSON.parse(text));
});

t.test("what is no JSON is refused alike", async (t) => {
  for (const text of ["", '"', '"\\"', "[", "{]", "[1,]", "nul"])
    t.throws(() => parseJson(text), { name: "SyntaxError" }, text);
});

t.test("depth has a limit; brackets within strings do not count", async (t) => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  t.doesNotThrow(() => parseJson(nested(jsonDepth)));
  t.throws(() => parseJson(nested(jsonDepth + 1)), { name: "SyntaxError", message: /200 deep/ });
  t.throws(() => parseJson('{"a":'.repeat(1e6)), { name: "SyntaxError", message: /200 deep/ });
  t.doesNotThrow(() => parseJson(JSON.stringify([nested(1000), `\\"${nested(1000)}`])));
  t.doesNotThrow(() => parseJson(`[${Array(1000).fill("[[]]").join()}]`), "many beside each other are fine");
});
