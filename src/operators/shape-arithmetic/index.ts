import { assemble } from "../assemble.js";
import { channels } from "./channels.js";
import { evaluations, shapes } from "./shape.js";
import { slices } from "./slice.js";

export const shapeArithmetic = assemble({ shapes, evaluations, channels, slices });
