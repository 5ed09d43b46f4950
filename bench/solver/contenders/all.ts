import type { Contender } from "./contender.js";
import { backendContenders, halpContenders } from "./halp.js";
import { integerPrograms } from "./integer-programs.js";
import { plainJsContenders } from "./plain-js.js";

/** Every contender by name. */
export const contenders = {
  ...halpContenders,
  ...plainJsContenders,
  ...backendContenders,
  ...integerPrograms,
} as const satisfies Readonly<Record<string, Contender>>;

export type ContenderName = keyof typeof contenders;

/** @throws Error for a name that is none of them */
export function contenderNamed(name: string): Contender {
  const found = (contenders as Readonly<Record<string, Contender>>)[name];
  if (found === undefined)
    throw new Error(`there is no contender "${name}"; they are: ${Object.keys(contenders).join(", ")}`);
  return found;
}
