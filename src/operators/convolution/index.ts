import { assemble } from "../assemble.js";
import { absorptions } from "./absorb.js";
import { channels } from "./channels.js";
import { convForms } from "./forms.js";
import { gradients } from "./gradient.js";
import { shapes } from "./shape.js";
import { slices } from "./slice.js";

export const convolution = assemble({
  shapes,
  channels,
  gradients,
  slices,
  absorptions,
  forms: { Conv: convForms },
  learns: { Conv: [1, 2], ConvTranspose: [1, 2] },
});
