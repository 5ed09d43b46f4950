/** A Redis of the test's own on loopback, and workers in processes of their own. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { halpMain } from "../cli/run-halp.js";

/** For `skip`: false where there is a server to start. */
export const noRedis = spawnSync("redis-server", ["--version"]).status === 0 ? false : "redis-server is not installed";

export interface RedisServer {
  readonly url: string;
  /** Ends it as a power cut would: all it holds is lost. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export async function startRedis(options: { readonly password?: string } = {}): Promise<RedisServer> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "halp-redis-"));
  let child: ChildProcess | undefined;
  const start = async () => {
    const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder];
    if (options.password !== undefined) args.push("--requirepass", options.password);
    child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "ignore"] });
    for await (const text of child.stdout!) if (String(text).includes("Ready to accept")) break;
    child.stdout!.destroy();
  };
  const kill = async () => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  };
  await start();
  const password = options.password === undefined ? "" : `:${options.password}@`;
  return {
    url: `redis://${password}127.0.0.1:${port}`,
    start,
    kill,
    stop: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What lies in Redis beside what workers put there for themselves. */
export async function leftInRedis({ url }: RedisServer): Promise<string[]> {
  const client = new Redis(url);
  const keys = await client.keys("*");
  client.disconnect();
  return keys
    .filter(
      (key) =>
        !/^halp:(worker:[a-z0-9]+|(device\.[a-z0-9]+|shards\.[0-9.]+):(id|meta|events|marker|stalled-check))$/.test(
          key,
        ),
    )
    .sort();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

export interface WorkerProcess {
  /** Resolves once it has said something that matches. */
  until(pattern: RegExp): Promise<void>;
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/**
 * `halp worker`, once it is ready.
 * @param by the command that it is started with: `taskset -c 1`, say
 */
export async function startWorker(
  url: string,
  name: string,
  more: readonly string[] = [],
  by: readonly string[] = [],
): Promise<WorkerProcess> {
  const [command = "", ...args] = [
    ...by,
    process.execPath,
    halpMain,
    "worker",
    "--redis",
    url,
    "--name",
    name,
    ...more,
  ];
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const worker: WorkerProcess = {
    until: async (pattern) => {
      while (!pattern.test(said)) {
        if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the worker ended: ${said}`);
        await sleep(20);
      }
    },
    kill: async (signal = "SIGKILL") => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill(signal);
      await ended;
    },
  };
  await worker.until(/is ready/);
  return worker;
}

/** Takes a core away some four tenths of the time, in pieces of a twentieth of a millisecond. */
const takeTurns = `
const cell = new Int32Array(new SharedArrayBuffer(4));
for (;;) {
  const end = performance.now() + 0.05;
  while (performance.now() < end);
  Atomics.wait(cell, 0, 0, 0.1);
}`;

/**
 * Makes a core slow for whatever else runs there, at any scale of time where this process may run before all others, and
 * else for what runs long.
 * @returns undefined where the system has no taskset
 */
export async function slowCore(core: number): Promise<{ stop(): void } | undefined> {
  const pinned = ["taskset", "-c", String(core)];
  const hog = [process.execPath, "-e", takeTurns];
  for (const [command, ...args] of [
    [...pinned, "chrt", "-f", "1", ...hog],
    [...pinned, ...hog],
  ] as [string, ...string[]][]) {
    const child = spawn(command, args, { stdio: "ignore" });
    const failed = await Promise.race([once(child, "exit"), once(child, "error"), sleep(500)]);
    if (failed === undefined) return { stop: () => void child.kill("SIGKILL") };
  }
  return undefined;
}
