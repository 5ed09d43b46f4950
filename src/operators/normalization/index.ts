import { assemble } from "../assemble.js";
import { channels } from "./channels.js";
import { gradients } from "./gradient.js";
import { shapes } from "./shape.js";
import { slices } from "./slice.js";
import { trainings } from "./training.js";

const learns = { BatchNormalization: [1, 2], InstanceNormalization: [1, 2], LayerNormalization: [1, 2] };

export const normalization = assemble({ shapes, channels, slices, gradients, learns, trainings });
