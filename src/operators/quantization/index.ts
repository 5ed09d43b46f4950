import { assemble } from "../assemble.js";
import { shapes } from "./shape.js";

/** Scales are fitted to the channels that are there, and a quantised network was fine-tuned for them: it is kept whole. */
export const quantization = assemble({
  shapes,
  keepsWhole: "quantised tensors are kept whole; prune the network before it is quantised",
});
