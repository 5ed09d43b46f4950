/** `npm run bench`: every bench; `npm run bench -- NAME ...`: one by name. */
const benches: Readonly<Record<string, () => Promise<(args: string[]) => Promise<void>>>> = {
  criteria: async () => (await import("./criteria.js")).benchCriteria,
  crops: async () => (await import("./crops.js")).benchCrops,
  fleet: async () => (await import("./fleet.js")).benchFleet,
  models: async () => (await import("./models.js")).benchModels,
  prediction: async () => (await import("./prediction.js")).benchPrediction,
  scale: async () => (await import("./scale.js")).benchScale,
  solver: async () => (await import("./solver.js")).benchSolver,
  training: async () => (await import("./training.js")).benchTraining,
};

const [name = "", ...args] = process.argv.slice(2);
const load = benches[name];
if (name === "" || name.startsWith("-")) {
  const { benchAll } = await import("./all.js");
  await benchAll(process.argv.slice(2));
} else if (!load) {
  console.error(
    `usage: npm run bench [-- NAME ...]\nbenches: ${Object.keys(benches).join(", ")}; without a name, all of them`,
  );
  process.exitCode = 2;
} else await (await load())(args);
