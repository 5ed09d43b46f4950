export { createFormChooser, type FormChooser, type KnownForms, readForms, writeForms } from "./forms.js";
export { reinitialized } from "./initialize.js";
export type { LabelFeed } from "./label-feeds.js";
export { type LossTerm, labelsAsOf, needsLabels, needsTeacher } from "./losses.js";
export type { ReadMask } from "./masks.js";
export { type Optimizer, ownerOf } from "./optimizer.js";
export {
  addPass,
  openPasser,
  type Passer,
  type PassRecipe,
  type PassSum,
  packedLength,
  packPass,
  totalOf,
  unpackPass,
} from "./passes.js";
export { findParameters, prepareForTraining, withWeights } from "./prepare.js";
export { checkRecipe, type Recipe, returnsMemory } from "./recipe.js";
export {
  readMetadata,
  readStoredTensors,
  readTensors,
  type StoredTensor,
  type TensorFile,
  writeTensors,
} from "./safetensors.js";
export { checkSchedule, learningRateAt, type Schedule } from "./schedule.js";
export { createTrainer, type StepResult, type Tensors, type Trainer, type TrainerOptions } from "./trainer.js";
export {
  type ChunkReport,
  type ChunkRequest,
  type FormFiles,
  type Helpers,
  type OpenedTraining,
  openTraining,
  type PassWork,
  type ScoreSite,
  type Training,
  type TrainingJob,
} from "./training.js";
