import type { BackendName } from "../backend.js";
import type { Limits } from "../limits.js";
import type { Request } from "../solver.js";
import type { Solution } from "../types.js";
import type { FlatProblem, FlatSolution } from "../wasm/flat-solver.js";

/** A flat problem of a batch. */
export interface FlatRequest {
  readonly problem: FlatProblem;
  readonly budget: number;
}

/** What a worker is asked; `id` comes back with the answer. */
export type Task =
  | {
      readonly id: number;
      readonly kind: "problems";
      readonly backend: BackendName;
      readonly requests: readonly Request[];
      readonly limits: Limits;
    }
  | {
      readonly id: number;
      readonly kind: "flat";
      readonly requests: readonly FlatRequest[];
      readonly limits: Limits;
    };

/** Errors cross as what they are made of. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly name: string | undefined;
  readonly exitCode: number | undefined;
}

export type Reply =
  | { readonly id: number; readonly answers: readonly (Solution | FlatSolution)[] }
  | { readonly id: number; readonly failure: Failure };
