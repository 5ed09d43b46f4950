import { type ChildProcess, fork } from "node:child_process";
import type { Checked } from "./answer.js";
import type { Ask, Told } from "./child.js";
import { contenderNamed } from "./contenders/all.js";
import { groupOf, type Instance, isJoint } from "./instances/suites.js";
import type { Stop } from "./stop.js";

/** What one contender did on one instance. */
export interface Timed {
  readonly group: string;
  readonly instance: Instance;
  readonly contender: string;
  /** Null where there was no answer: see `error`. */
  readonly checked: Checked | null;
  readonly error: string | null;
  readonly samples: readonly number[];
  readonly calls: readonly number[];
}

export interface ContestOptions {
  /** Seconds to spend timing an instance; 0: only solve. */
  readonly seconds: number;
  /** Seconds after which a solve may give up. */
  readonly limitSeconds: number;
  /** Keep asking a contender about a group after it failed or ran out of time there. */
  readonly persist?: boolean;
  readonly stop: Stop;
  /** Called after each answer, with how many of how many are done. */
  readonly progress?: (done: number, of: number, last: Timed) => void;
}

/** A contender's process. When it ends or stays silent it is started again at the next question. */
class Seat {
  readonly #name: string;
  readonly #limit: number;
  readonly #stop: Stop;
  #child: ChildProcess | null = null;

  constructor(name: string, limit: number, stop: Stop) {
    this.#name = name;
    this.#limit = limit;
    this.#stop = stop;
  }

  async ask(message: Ask): Promise<Told> {
    try {
      if (this.#child === null) {
        this.#child = fork(new URL("./child.js", import.meta.url), [this.#name, String(this.#limit)]);
        await this.#next(60);
      }
      this.#child.send(message);
      // Benchmark.js may overrun its time by some samples
      return (await this.#next(this.#limit * 2 + message.seconds * 10 + 30)) as Told;
    } catch (error) {
      this.close();
      return { error: error instanceof Error ? error.message : String(error) };
    }
  }

  /** The next message, or an error when the process ends, says nothing for so long, or the bench is stopped. */
  #next(seconds: number): Promise<unknown> {
    const child = this.#child!;
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        child.removeAllListeners();
        forget();
      };
      const fail = (reason: string): void => {
        done();
        reject(new Error(reason));
      };
      const timer = setTimeout(() => fail(`no answer within ${seconds.toFixed(0)} s`), seconds * 1000);
      const forget = this.#stop.onStop(() => fail("interrupted"));
      child.once("message", (message) => {
        done();
        resolve(message);
      });
      child.once("exit", (code, signal) => fail(`its process ended (${signal ?? code})`));
    });
  }

  close(): void {
    this.#child?.kill("SIGKILL");
    this.#child = null;
  }
}

/** An instance with the contenders that are to solve it. */
export interface Heat {
  readonly instance: Instance;
  readonly contenders: readonly string[];
}

/**
 * Every contender in a process of its own, taking turns instance by instance. A contender that failed on a group or ran into
 * the limit there is not asked again about that group, unless the bench persists.
 */
export async function contest(heats: readonly Heat[], options: ContestOptions): Promise<Timed[]> {
  const seats = new Map<string, Seat>();
  const given = new Set<string>();
  const all: Timed[] = [];
  const of = heats.reduce((n, h) => n + h.contenders.length, 0);
  let done = 0;
  try {
    for (const { instance, contenders } of heats)
      for (const name of contenders) {
        done++;
        const contender = contenderNamed(name);
        const group = groupOf(instance);
        if (!(isJoint(instance) ? contender.joint : contender.unary) || given.has(`${group} ${name}`)) continue;
        if (options.stop.stopped) return all;
        let seat = seats.get(name);
        if (seat === undefined) {
          seat = new Seat(name, options.limitSeconds, options.stop);
          seats.set(name, seat);
        }
        const told = await seat.ask({ instance, seconds: options.seconds });
        if (options.stop.stopped && "error" in told) return all;
        const timed: Timed =
          "error" in told
            ? { group, instance, contender: name, checked: null, error: told.error, samples: [], calls: [] }
            : { group, instance, contender: name, error: null, ...told };
        all.push(timed);
        if (options.persist !== true && (timed.checked === null || timed.checked.status === "unfinished"))
          given.add(`${group} ${name}`);
        options.progress?.(done, of, timed);
      }
  } finally {
    for (const seat of seats.values()) seat.close();
  }
  return all;
}
