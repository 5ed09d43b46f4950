/** Every command line in the documents is one that halp understands: commands, options, and the values of options. */
import { readdirSync, readFileSync } from "node:fs";
import t from "tap";
import { namesOf } from "../../src/cli/command.js";
import { makeOption } from "../../src/cli/options.js";
import { commands } from "../../src/cli/run-cli.js";

const files = [
  ...["README.md", "CONTRIBUTING.md", "SECURITY.md", "ARCHITECTURE.md"],
  ...readdirSync("docs")
    .filter((f) => f.endsWith(".md"))
    .map((f) => `docs/${f}`),
];

/** Lines of code, indented by four or in fences, that call halp; lines that end in a backslash joined; comments taken off. */
function linesOf(markdown: string): string[] {
  const joined = markdown.replace(/\\\n\s*/g, "");
  return [...joined.matchAll(/^(?: {4}|\$ )?(?:npx )?(halp [a-z].*)$/gm)]
    .filter(([whole]) => whole?.startsWith("    ") || whole?.startsWith("$") || whole?.startsWith("npx"))
    .map((m) => (m[1] ?? "").replace(/\s+#.*$/, "").replace(/\s+[<>|].*$/, ""));
}

/** Splits as a shell does, quotes taken off. */
const words = (line: string) => [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((m) => m[1] ?? m[2] ?? m[3] ?? "");

/** What is wrong with a command line; undefined where nothing is. */
function mistake(line: string): string | undefined {
  const [, ...rest] = words(line);
  const spec = commands.find((c) => c.name === rest.slice(0, c.name.split(" ").length).join(" "));
  if (!spec) return `there is no command ${rest[0]}`;
  const options = namesOf(spec).map(makeOption);
  const args = rest.slice(spec.name.split(" ").length);
  const operands: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const word = args[i] as string;
    if (!word.startsWith("-") || word === "-") {
      operands.push(word);
      continue;
    }
    if (word === "--no-color" || word === "--help") continue;
    const option = options.find((o) => o.long === word || o.short === word);
    if (!option) return `halp ${spec.name} has no ${word}`;
    if (!option.required) continue;
    const value = args[++i];
    if (value === undefined) return `${word} needs a value`;
    // In syntax, NAME and the like stand for a value.
    if (/^[A-Z][A-Z_]*$/.test(value)) continue;
    try {
      if (option.argChoices && !option.argChoices.includes(value)) return `${word} ${value}`;
      option.parseArg?.(value, undefined);
    } catch (error) {
      return `${word} ${value}: ${(error as Error).message}`;
    }
  }
  const most = spec.args.some(([arg]) => arg.includes("...")) ? Number.POSITIVE_INFINITY : spec.args.length;
  return operands.length > most ? `halp ${spec.name} takes ${most} operands` : undefined;
}

t.test("the check finds mistakes", async (t) => {
  for (const line of [
    "halp prume model.onnx",
    "halp prune model.onnx --bugdet 70%",
    "halp prune model.onnx --budget 170%",
    "halp prune model.onnx --mode joined",
    "halp measure a.onnx b.onnx",
  ])
    t.ok(mistake(line), line);
});

let found = 0;
for (const file of files)
  t.test(file, async (t) => {
    for (const line of linesOf(readFileSync(file, "utf8"))) {
      found++;
      t.equal(mistake(line), undefined, line);
    }
  });

t.test("the examples of the commands' own help", async (t) => {
  for (const spec of commands)
    for (const example of spec.examples)
      for (const [line] of example.matchAll(/halp [a-z][^|<>]*/g)) t.equal(mistake(line), undefined, example);
});

t.test("there are command lines in the documents", async (t) => t.ok(found > 40, `${found}`));
