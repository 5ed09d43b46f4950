import { assemble } from "../assemble.js";
import { channels } from "./channels.js";
import { gradients } from "./gradient.js";
import { evaluations, shapes } from "./shape.js";

export const activation = assemble({
  shapes,
  evaluations,
  channels,
  gradients,
  pointwise: true,
  learns: { PRelu: [1] },
});
