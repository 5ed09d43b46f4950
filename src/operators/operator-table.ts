/** What is known of each operator, as a table for people. */
import type { OperatorSpec } from "./spec.js";

export interface KnownOperator {
  /** "Conv", "com.microsoft.FusedMatMul". */
  readonly name: string;
  /** Values are computed before the run where all operands are known. */
  readonly folds: boolean;
  /** Channels are followed through it; else they are frozen where they pass. */
  readonly channels: boolean;
  /** `rule`: attributes or shape inputs are rewritten when channels go; `constants`: cutting its constants is all it takes. */
  readonly slicing: "rule" | "constants" | "none";
  /** Importance and training go through it. */
  readonly gradient: boolean;
}

/** Sorted by name. */
export function operatorTable(operators: readonly OperatorSpec[]): KnownOperator[] {
  return operators
    .map(({ opType, domain = "", evaluate, channels, slice, gradient }): KnownOperator => {
      const slicing = slice !== undefined ? "rule" : channels !== undefined ? "constants" : "none";
      return {
        name: domain === "" ? opType : `${domain}.${opType}`,
        folds: evaluate !== undefined,
        channels: channels !== undefined,
        slicing,
        gradient: gradient !== undefined,
      };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
