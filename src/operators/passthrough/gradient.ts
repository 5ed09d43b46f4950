/** Gradients of the passthrough family, by operator type. */
import { noGradient } from "../emit.js";
import type { GradientRule } from "../spec.js";

const handBack: GradientRule = (c) => [c.wants(0) ? c.outputGradient(0) : undefined];

/** Only float32 carries a gradient; a cast to it from elsewhere ends the path. */
const cast: GradientRule = (c) => {
  const [from, to] = [c.node.inputs[0] ?? "", c.node.outputs[0] ?? ""].map((name) => c.type(name)?.dtype);
  if (from !== "float32" || to !== "float32")
    throw noGradient(c, `it casts ${from} to ${to}; only float32 has gradients`);
  return handBack(c);
};

export const gradients: Readonly<Record<string, GradientRule>> = {
  Identity: handBack,
  // At inference nothing is dropped; with training_mode the run would be random, and the gradient with it.
  Dropout: (c) => {
    const mode = c.node.inputs[2];
    const constant = mode ? c.constant(mode) : undefined;
    if (mode && constant?.bytes[0] !== 0) throw noGradient(c, "it is in training mode");
    return handBack(c);
  },
  Cast: cast,
  CastLike: cast,
};
