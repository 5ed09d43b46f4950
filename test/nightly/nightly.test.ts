/** The nightly checks, in small: that they find nothing, and would find something. */
import t from "tap";
import { noRedis } from "../jobs/redis-server.js";
import { differential } from "./differential.js";
import { killWorkers } from "./fleet.js";
import { poolLoad } from "./pool-load.js";

const quiet = () => {};

t.test("300 problems too large for brute force, as HiGHS solves them", async (t) => {
  const { problems, joint, infeasible, givenUp, wrong } = await differential(300, 1, quiet);
  t.same(wrong, []);
  t.ok(problems === 300 && givenUp < 10, `${givenUp} given up`);
  t.ok(joint >= 100 && problems - joint >= 100 && infeasible > 0 && infeasible < 150, `${joint}, ${infeasible}`);
});

t.test("a pool whose workers are killed gives right answers only", async (t) => {
  const load = await poolLoad({ requests: 6000, callers: 12, workers: 2, requestsPerKill: 500, maxOpen: 400, seed: 1 });
  t.same(load.wrong, []);
  t.ok(load.answered > 5000, `${load.answered} answered`);
  t.ok(load.mostOpen <= 400, `${load.mostOpen} open`);
  // How many a time limit stops depends on the machine.
  for (const what of ["refused", "repeated", "killed"] as const) t.ok(load[what] > 0, what);
});

t.test("two workers, one of which is killed, score as one process does", { skip: noRedis }, async (t) => {
  const options = { workers: [2], kills: 1, seed: 1, images: 1000, batchSize: 50 };
  const { kills, givenAnew, channels, secondsKilled, wrong } = await killWorkers(options, quiet);
  t.same(wrong, []);
  t.ok(kills === 1 && givenAnew <= 1 && secondsKilled.length > 0, `${givenAnew} tasks given out anew`);
  t.equal(channels, 68);
});
