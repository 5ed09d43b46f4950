export { type Augmentation, parseAugmentation } from "./augment.js";
export type { Batch, BatchOptions, Dataset, DatasetKind, DatasetSpec, Normalization } from "./dataset.js";
export { type Loader, type LoaderSpec, openLoader } from "./loader.js";
export { openDataset } from "./open-dataset.js";
export { createRandom, fillGaussian, fillUniform, permutation, type Random, shuffle } from "./random.js";
export { sceneDataset } from "./scenes.js";
export { syntheticDataset } from "./synthetic.js";
export { requireLabels, targetsOf } from "./targets.js";
