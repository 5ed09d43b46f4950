// The instances that tests use as well.
export { denseLatency, jointProblem, type NetworkName, networks, pruningProblem } from "./instances/networks.js";
export { type HardClass, hardClasses, hardProblem } from "./instances/pisinger.js";
export { randomFrom } from "./instances/random.js";
