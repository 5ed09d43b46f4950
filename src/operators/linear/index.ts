import { assemble } from "../assemble.js";
import { absorptions } from "./absorb.js";
import { channels } from "./channels.js";
import { gradients } from "./gradient.js";
import { shapes } from "./shape.js";

export const linear = assemble({ shapes, channels, gradients, absorptions, learns: { Gemm: [1, 2], MatMul: [0, 1] } });
