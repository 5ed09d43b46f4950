import { assemble } from "../assemble.js";
import { channels } from "./channels.js";
import { gradients } from "./gradient.js";
import { evaluations, shapes } from "./shape.js";

// Constants of one element (1 / sqrt(width), the 0.5 of a GELU) belong to the formula and are not learnt.
const learns = { Add: [0, 1], Sub: [0, 1], Mul: [0, 1] };

export const arithmetic = assemble({ shapes, evaluations, channels, gradients, pointwise: true, learns });
