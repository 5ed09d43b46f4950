import { HalpError } from "../errors.js";
import { randomTensor } from "./random-data.js";
import { createSession, type Session } from "./session.js";
import type { ModelSource } from "./stored-model.js";
import { isRuntimeType, type RuntimeTensor } from "./tensor.js";

/**
 * Random inputs of a session.
 * @param inputs dims by name, needed where the model leaves some open
 * @throws HalpError HALP_DYNAMIC_INPUT, HALP_RUNTIME_TYPE
 */
export function feedsFor(
  session: Session,
  inputs: Readonly<Record<string, readonly number[]>>,
  seed: number,
): Record<string, RuntimeTensor> {
  const feeds: Record<string, RuntimeTensor> = {};
  session.inputs.forEach((v, i) => {
    if (!isRuntimeType(v.dtype))
      throw new HalpError("HALP_RUNTIME_TYPE", `Input "${v.name}" is of type ${v.dtype ?? "unknown"}; cannot measure.`);
    const dims = inputs[v.name] ?? v.dims;
    if (!dims.every((d) => typeof d === "number"))
      throw new HalpError(
        "HALP_DYNAMIC_INPUT",
        `Input "${v.name}" has dims [${v.dims.map((d) => d ?? "?").join(", ")}]; give numbers for all of them.`,
        { name: v.name },
      );
    feeds[v.name] = randomTensor(v.dtype, dims, seed + i);
  });
  return feeds;
}

/** Random inputs of a model. @throws HalpError as `feedsFor`, and HALP_RUNTIME_LOAD */
export function randomFeeds(
  model: ModelSource,
  inputs: Readonly<Record<string, readonly number[]>>,
  seed = 0,
): Record<string, RuntimeTensor> {
  using session = createSession(model, { optimization: "disabled" });
  return feedsFor(session, inputs, seed);
}
