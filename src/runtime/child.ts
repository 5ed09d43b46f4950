/**
 * Child processes to measure in: started with the memory settings that keep page faults out of the timings (they must be
 * set before the process begins), spoken to in requests and answers, killed on abort, gone when the parent goes.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HalpError, type PlainError, plainError } from "../errors.js";

/**
 * Without these the C library maps large buffers anew at every run and hands them back, and the same convolution reads
 * 1.2 or 3.5 ms at random. Other C libraries ignore the variable.
 */
const steadyMemory = [
  "glibc.malloc.hugetlb=1",
  "glibc.malloc.trim_threshold=8000000000",
  "glibc.malloc.top_pad=67108864",
];
/**
 * What a child does with memory that is free again. "keep": nothing is given back, and timings are steady.
 * "return-large": buffers of 32 MiB and more (the most that can be set) are, and mapped anew at every run; for models whose
 * weights alone take hundreds of megabytes. "return": buffers of 1 MiB and more are, and no more is asked for than needed;
 * for the least memory, at the price of page faults.
 */
export type FreeMemory = "keep" | "return-large" | "return";

const tunables: Readonly<Record<FreeMemory, string>> = {
  keep: [...steadyMemory, "glibc.malloc.mmap_max=0"].join(":"),
  "return-large": [...steadyMemory, "glibc.malloc.mmap_threshold=33554432"].join(":"),
  return: "glibc.malloc.mmap_threshold=1048576",
};

/** What a program that is to be compared with a child has to be started with, as GLIBC_TUNABLES. */
export const childTunables = tunables.keep;

export interface ChildOptions {
  /** Kills the child; requests that wait for an answer fail with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Default "keep". */
  readonly freeMemory?: FreeMemory;
}

export interface Child extends Disposable {
  readonly pid: number | undefined;
  /** @throws HalpError what the handler threw, or HALP_CHILD_ENDED where the child is gone. */
  request<T>(name: string, payload?: unknown, onProgress?: (p: unknown) => void): Promise<T>;
  /** Kills the child. */
  dispose(): void;
}

interface Question {
  readonly id: number;
  readonly name: string;
  readonly payload: unknown;
}
interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly progress?: unknown;
  /** Without a code: no HalpError. */
  readonly error?: PlainError | { readonly code: undefined; readonly message: string };
}
interface Waiting {
  readonly resolve: (v: unknown) => void;
  readonly reject: (e: unknown) => void;
  readonly onProgress: ((p: unknown) => void) | undefined;
}

/** Starts a module of halp as a child. The module calls {@link serveParent}. */
export function spawnChild(entry: URL, options: ChildOptions = {}): Child {
  options.signal?.throwIfAborted();
  const waiting = new Map<number, Waiting>();
  let nextId = 0;
  let stderr = "";
  let ended: unknown;
  // A killed child cannot clean up behind itself: its temporary files lie in a folder that goes with it.
  const scratch = mkdtempSync(join(tmpdir(), "halp-"));
  const sweep = (): void => rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
  const child: ChildProcess = fork(fileURLToPath(entry), [scratch], {
    env: {
      ...process.env,
      GLIBC_TUNABLES: tunables[options.freeMemory ?? "keep"],
      TMPDIR: scratch,
      TEMP: scratch,
      TMP: scratch,
    },
    execArgv: [],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-2000);
  });
  const fail = (reason: unknown): void => {
    ended ??= reason;
    for (const w of waiting.values()) w.reject(ended);
    waiting.clear();
  };
  const dispose = (reason?: unknown): void => {
    fail(reason ?? new HalpError("HALP_CHILD_ENDED", "The child process was closed.", { exitCode: 1 }));
    options.signal?.removeEventListener("abort", onAbort);
    child.kill("SIGKILL");
    sweep();
  };
  const onAbort = (): void => dispose(options.signal?.reason);
  options.signal?.addEventListener("abort", onAbort, { once: true });

  child.on("message", (answer: Answer) => {
    const w = waiting.get(answer.id);
    if (!w) return;
    if (answer.progress !== undefined) {
      w.onProgress?.(answer.progress);
      return;
    }
    waiting.delete(answer.id);
    if (answer.error) {
      const { code, message, ...fields } = answer.error;
      w.reject(new HalpError(code ?? "HALP_CHILD_FAILED", message, { exitCode: 1, ...fields }));
    } else w.resolve(answer.result);
  });
  child.on("error", (cause) => fail(childEnded(cause.message, cause)));
  // 'close' comes after the last of stderr, which may say why.
  child.on("close", (code, signal) => {
    const how = signal ? `was killed by ${signal}` : `ended with exit code ${code}`;
    fail(childEnded(`${how}${stderr ? `:\n${stderr.trim()}` : "."}`));
    sweep();
    options.signal?.removeEventListener("abort", onAbort);
  });
  child.unref();
  (child.stderr as unknown as { unref?: () => void } | null)?.unref?.();
  child.channel?.unref();

  return {
    pid: child.pid,
    request<T>(name: string, payload?: unknown, onProgress?: (p: unknown) => void): Promise<T> {
      if (ended !== undefined) return Promise.reject(ended);
      const id = nextId++;
      // While an answer is awaited the process must not end; otherwise an idle child must not keep it alive.
      child.ref();
      child.channel?.ref();
      const asked = new Promise<unknown>((resolve, reject) => waiting.set(id, { resolve, reject, onProgress }));
      const question: Question = { id, name, payload };
      child.send(question, (e) => {
        if (e) fail(childEnded(e.message, e));
      });
      return asked.finally(() => {
        if (waiting.size > 0) return;
        child.unref();
        child.channel?.unref();
      }) as Promise<T>;
    },
    dispose: () => dispose(),
    [Symbol.dispose]: () => dispose(),
  };
}

function childEnded(how: string, cause?: unknown): HalpError {
  return new HalpError("HALP_CHILD_ENDED", `The child process ${how}`, { exitCode: 1, cause });
}

export type Handlers = Readonly<
  Record<string, (payload: never, report: (progress: unknown) => void) => unknown | Promise<unknown>>
>;

/** The child's side: answers requests one after another, and exits when the parent is gone. */
export function serveParent(handlers: Handlers): void {
  const [, , scratch] = process.argv;
  process.on("disconnect", () => {
    if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true });
    process.exit(0);
  });
  let queue: Promise<void> = Promise.resolve();
  process.on("message", (question: Question) => {
    queue = queue.then(async () => {
      const answer = await answerTo(question, handlers);
      process.send?.(answer);
    });
  });
}

async function answerTo(question: Question, handlers: Handlers): Promise<Answer> {
  const { id, name, payload } = question;
  try {
    const handler = handlers[name];
    if (!handler) throw new Error(`The child process knows no request "${name}".`);
    return { id, result: await handler(payload as never, (progress) => process.send?.({ id, progress })) };
  } catch (e) {
    if (e instanceof HalpError) return { id, error: plainError(e) };
    return { id, error: { code: undefined, message: e instanceof Error ? (e.stack ?? e.message) : String(e) } };
  }
}
