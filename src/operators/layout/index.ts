import { assemble } from "../assemble.js";
import { channels } from "./channels.js";
import { gradients } from "./gradient.js";
import { evaluations, shapes } from "./shape.js";
import { slices } from "./slice.js";

export const layout = assemble({ shapes, evaluations, channels, gradients, slices });
