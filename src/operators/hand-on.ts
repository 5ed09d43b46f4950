import type { ChannelContext } from "./spec.js";

/** The output has the labels of the input, axis by axis. Same rank. */
export function handOn(c: ChannelContext, input: string, output: string): void {
  const rank = c.type(input)?.dims.length ?? 0;
  for (let axis = 0; axis < rank; axis++) c.setLabels(output, axis, c.labels(input, axis));
}
