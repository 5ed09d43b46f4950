/** The JSON schema of halp.config.json, made of the option table. Editors complete and check by it. */
import type { Option } from "commander";
import { notInConfig, repeated } from "./config-file.js";

type Schema = Readonly<Record<string, unknown>>;

/** @param known options of all commands that read the file */
export function configSchema(known: readonly Option[]): Schema {
  const properties = known
    .filter((o) => !notInConfig.has(o.attributeName()))
    .map((o) => [o.attributeName(), { description: o.description, ...typeOf(o) }] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "halp.config.json",
    description: "Options of halp's commands on a model, by their long names in camel case. The command line wins.",
    type: "object",
    properties: { $schema: { type: "string" }, ...Object.fromEntries(properties) },
    additionalProperties: false,
  };
}

/** By what stands for the value in the flag: <N>, <LIST>, <NAME=SHAPE>, ... */
function typeOf(option: Option): Schema {
  if (option.argChoices) return { enum: option.argChoices };
  if (!option.required) return { type: "boolean" };
  switch (/<(.*)>/.exec(option.flags)?.[1]) {
    case "N":
    case "STEPS":
      return { type: "integer" };
    case "X":
    case "NORM":
      return { type: "number" };
    case "BUDGET":
    case "LIST":
    case "TERMS":
    case "CORES":
      return { anyOf: [{ type: ["string", "number"] }, { type: "array", items: { type: ["string", "number"] } }] };
    case "NAME=SHAPE":
      return {
        anyOf: [
          { type: ["string", "array"], items: { type: "string" } },
          { type: "object", additionalProperties: { type: "array", items: { type: "integer" } } },
        ],
      };
    default:
      return repeated.has(option.attributeName())
        ? { type: ["string", "number", "array"], items: { type: ["string", "number"] } }
        : { type: ["string", "number"] };
  }
}
