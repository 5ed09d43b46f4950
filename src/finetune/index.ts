export type { LossTerm } from "./losses.js";
export type { Optimizer } from "./optimizer.js";
export { checkSchedule, learningRateAt, type Schedule } from "./schedule.js";
export { createTrainer, type StepResult, type Tensors, type Trainer, type TrainerOptions } from "./trainer.js";
