/** Gradients of networks, as graphs of standard ONNX operators. */
export { type Backward, type BackwardOptions, type CutPath, emitBackward, type Seed } from "./backward.js";
export { buildGradient, copyNetwork, type Gradient, type GradientOptions, gradientModel } from "./forward.js";
