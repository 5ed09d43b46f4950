/** The process in which {@link measureModels} times. */
import { serveParent } from "./child.js";
import { feedsFor } from "./feeds.js";
import type { MeasureTask, RawTimings } from "./measure-models.js";
import { pinThreads } from "./pinning.js";
import { uniform } from "./random-data.js";
import { createSession, type Session } from "./session.js";
import type { RuntimeTensor } from "./tensor.js";

/** A sample shorter than this is made of several runs. */
const blockNs = 2e6;
const warmUps = 3;

serveParent({ measure, pin: pinThreads });

function measure(task: MeasureTask, report: (p: unknown) => void): RawTimings {
  const sessions: Session[] = [];
  try {
    for (const model of task.models) sessions.push(createSession(model, { threads: task.threads }));
    const timers = sessions.map((s, i) => timerOf(s, feedsFor(s, task.inputs[i] ?? {}, task.seed)));
    const runs = timers.map((t) => {
      let once = Number.POSITIVE_INFINITY;
      for (let i = 0; i < warmUps; i++) once = Math.min(once, t(1));
      return Math.min(64, Math.max(1, Math.ceil(blockNs / once)));
    });
    const samples: number[][] = timers.map(() => []);
    const random = uniform(task.seed);
    const order = timers.map((_, i) => i);
    const start = process.hrtime.bigint();
    for (let round = 0; round < task.samples; round++) {
      // A new order each round, so that no model always follows the same one.
      for (let i = order.length - 1; i > 0; i--) {
        const j = Math.floor(random() * (i + 1));
        [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
      }
      for (const i of order) {
        // One run untimed: the others have emptied the caches.
        timers[i]?.(1);
        samples[i]?.push(timers[i]?.(runs[i] ?? 1) ?? Number.NaN);
      }
      report(round + 1);
      if (round + 1 >= task.minSamples && Number(process.hrtime.bigint() - start) > task.limitNs) break;
    }
    return { samples };
  } finally {
    for (const s of sessions) s.dispose();
  }
}

/** Nanoseconds of one run, as the mean of n. */
function timerOf(session: Session, feeds: Record<string, RuntimeTensor>): (n: number) => number {
  return (n) => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < n; i++) session.run(feeds);
    return Number(process.hrtime.bigint() - start) / n;
  };
}
