/** `halp.config.json`: values for options that are not given on the command line. */
import { existsSync, readFileSync } from "node:fs";
import { CommanderError, type Option } from "commander";
import { didYouMean, HalpError } from "../errors.js";
import { parseJson } from "../json.js";

/** The config file that is read where --config names no other, from the current folder and only if it is there. */
export const configName = "halp.config.json";

/** Options that stand for a place on the command line, not for a setting. */
export const notInConfig: ReadonlySet<string> = new Set(["config", "against", "output"]);

/**
 * Values of the options that the file has something to say on, by commander's name of the option: the flag in camel case.
 * @param path as --config names it; undefined: {@link configName}, where there is one
 * @param known options of all commands that read the file: a key that none of them has is a mistake
 * @param wanted the options of this command
 * @throws HalpError HALP_CONFIG
 */
export function readConfig(
  path: string | undefined,
  known: readonly Option[],
  wanted: readonly Option[],
): Readonly<Record<string, unknown>> {
  const file = path ?? configName;
  if (path === undefined && !existsSync(file)) return {};
  const fail = (message: string) => new HalpError("HALP_CONFIG", message, { file });
  let content: unknown;
  try {
    content = parseJson(readFileSync(file, "utf8"));
  } catch (cause) {
    throw fail(`The config file cannot be read: ${(cause as Error).message}.`);
  }
  if (typeof content !== "object" || content === null || Array.isArray(content))
    throw fail("The config file must hold a JSON object: the long names of options, in camel case, and their values.");
  const keys = new Set(known.map((o) => o.attributeName()).filter((name) => !notInConfig.has(name)));
  const values: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(content)) {
    if (key === "$schema") continue;
    if (!keys.has(key))
      throw fail(`There is no option "${key}"${didYouMean(key, keys)} What there is: ${[...keys].sort().join(", ")}.`);
    const option = wanted.find((o) => o.attributeName() === key);
    if (!option) continue;
    try {
      values[key] = parse(option, value);
    } catch (error) {
      if (error instanceof HalpError || error instanceof CommanderError) throw fail(`"${key}": ${error.message}`);
      throw error;
    }
  }
  return values;
}

/** Options whose values come one by one, not joined by commas. */
export const repeated = new Set(["freeze", "heads", "headWidth", "minChannels", "maxPruneRatio"]);

/** The value as the option's own parser makes it of text; lists and objects are what would be repeated or joined there. */
function parse(option: Option, value: unknown): unknown {
  const isFlag = !option.required && !option.optional;
  if (isFlag) {
    if (typeof value === "boolean") return value;
    throw new HalpError("HALP_CONFIG", `expected true or false, came ${JSON.stringify(value)}.`);
  }
  const parser = (text: string, previous: unknown) => option.parseArg?.(text, previous) ?? text;
  const text = (x: unknown): string => {
    if (typeof x === "string" || typeof x === "number") return String(x);
    throw new HalpError("HALP_CONFIG", `expected text or a number, came ${JSON.stringify(x)}.`);
  };
  const name = option.attributeName();
  if (repeated.has(name) && Array.isArray(value)) return value.reduce((all, x) => parser(text(x), all), undefined);
  if (name === "input" && typeof value === "object" && value !== null && !Array.isArray(value))
    return Object.entries(value).reduce<unknown>(
      (all, [input, dims]) => parser(`${input}=${Array.isArray(dims) ? dims.join("x") : text(dims)}`, all),
      undefined,
    );
  return parser(Array.isArray(value) ? value.map(text).join(",") : text(value), undefined);
}
