import type { BackendName } from "../backend.js";
import type { Request } from "../requests.js";
import type { Solution } from "../types.js";
import type { PackedAnswers, PackedProblems } from "./packing.js";

/** The first message a worker gets. */
export interface Setup {
  readonly backend: BackendName;
  readonly memoryLimitBytes: number | undefined;
}

/** Limits as they cross: `stop` is shared memory, its first element 1 once the search must end; null where there is none. */
export interface SentLimits {
  readonly timeLimitMs: number | undefined;
  readonly maxStates: number | undefined;
  readonly gap: number | undefined;
  readonly stop: Int32Array | null;
}

/** Part of a call; `first` is the number of its first request within the call. */
export type Work =
  | { readonly kind: "problems"; readonly first: number; readonly requests: readonly Request[] }
  | { readonly kind: "flat"; readonly first: number; readonly problems: PackedProblems };

/** What a worker is asked; `id` comes back with the answer. */
export interface Task {
  readonly id: number;
  readonly work: Work;
  readonly limits: SentLimits;
}

/** Errors cross as what they are made of. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly exitCode: number;
  readonly node: string | undefined;
  readonly opType: string | undefined;
  readonly file: string | undefined;
}

/** `elapsedMs`: what the worker took for the whole part. */
export type Reply =
  | {
      readonly id: number;
      readonly kind: "problems";
      readonly answers: readonly Solution[];
      readonly elapsedMs: number;
    }
  | { readonly id: number; readonly kind: "flat"; readonly answers: PackedAnswers; readonly elapsedMs: number }
  | { readonly id: number; readonly kind: "failure"; readonly failure: Failure };
