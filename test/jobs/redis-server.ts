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
    child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] });
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

/** `halp worker`, once it is ready. */
export async function startWorker(url: string, name: string, more: readonly string[] = []): Promise<WorkerProcess> {
  const args = [halpMain, "worker", "--redis", url, "--name", name, ...more];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
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
