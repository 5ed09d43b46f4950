import { assemble } from "../assemble.js";
import { channels } from "./channels.js";
import { evaluations } from "./evaluate.js";
import { gradients } from "./gradient.js";
import { shapes } from "./shape.js";
import { slices } from "./slice.js";

export const selection = assemble({ shapes, evaluations, channels, gradients, slices });
