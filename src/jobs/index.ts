export { type Bench, benchHere, benchOn, type ModelBench } from "./bench.js";
export { type Crew, crewOf, type EvaluateJob, localCrew, type ScoreJob } from "./crew.js";
export { type DeviceInfo, type Fleet, type FleetOptions, openFleet } from "./fleet.js";
export type { SendOptions } from "./line.js";
export type { WorkerInfo } from "./names.js";
export { noModels } from "./performer.js";
export type { TaskName } from "./tasks.js";
export { halpVersion } from "./version.js";
export { runWorker, type WorkerOptions } from "./worker.js";
