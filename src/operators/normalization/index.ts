import { assemble } from "../assemble.js";
import { channels } from "./channels.js";
import { gradients } from "./gradient.js";
import { shapes } from "./shape.js";
import { slices } from "./slice.js";

export const normalization = assemble({ shapes, channels, slices, gradients });
