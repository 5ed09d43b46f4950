import { HalpError } from "../errors.js";
import { show } from "./show.js";
import type { Problem } from "./types.js";

/** One problem of a batch. */
export interface Request {
  readonly problem: Problem;
  readonly budget?: number;
}

/**
 * Answers requests one after the other. An error says which request it is about.
 * @param first the number of the first request, where these are part of a longer list
 * @throws HalpError HALP_BATCH if requests are no array of objects; whatever `answer` throws
 */
export function answerEach<R, A>(requests: readonly R[], answer: (request: R) => A, first = 0): A[] {
  checkRequests(requests);
  const answers: A[] = [];
  for (let i = 0; i < requests.length; i++) {
    try {
      const request = requests[i]!;
      if (typeof request !== "object" || request === null)
        throw new HalpError("HALP_BATCH", `a request must be an object with problem and budget, not ${show(request)}`);
      answers.push(answer(request));
    } catch (error) {
      if (!(error instanceof HalpError)) throw error;
      throw numbered(error, first + i);
    }
  }
  return answers;
}

/** @throws HalpError HALP_BATCH */
export function checkRequests(requests: unknown): void {
  if (Array.isArray(requests)) return;
  throw new HalpError("HALP_BATCH", `requests must be an array of { problem, budget }, not ${show(requests)}`);
}

/** The same error, saying which request it is about. */
export function numbered(error: HalpError, i: number): HalpError {
  const { exitCode } = error;
  return new HalpError(error.code, `requests[${i}]: ${error.message}`, { exitCode, cause: error });
}
