/** A Redis of the test's own, and workers in processes of their own. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { halpMain } from "../cli/run-halp.js";

/** For `skip`: false where there is a server to start. */
export const noRedis = spawnSync("redis-server", ["--version"]).status === 0 ? false : "redis-server is not installed";

/** For `skip`: false where that server speaks TLS, and there is an `openssl` to make certificates. */
export const noTls = tryTls();

function tryTls(): false | string {
  // A server that was built without TLS does not know the word.
  if (spawnSync("redis-server", ["--tls-port", "none"], { encoding: "utf8" }).stderr?.includes("Bad directive"))
    return "redis-server is built without TLS";
  return spawnSync("openssl", ["version"]).status === 0 ? false : "openssl is not installed";
}

export interface RedisOptions {
  readonly password?: string;
  /** The address that it listens at. Default 127.0.0.1. */
  readonly bind?: string;
  /** Files; with them it speaks nothing but TLS. */
  readonly tls?: { readonly authority: string; readonly certificate: string; readonly key: string };
  /** The command that it is started with. */
  readonly by?: readonly string[];
}

export interface RedisServer {
  readonly url: string;
  connect(): Redis;
  /** Ends it as a power cut would: all it holds is lost. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const { password, bind = "127.0.0.1", tls, by = [] } = options;
  const port = String(await freePort());
  const folder = mkdtempSync(join(tmpdir(), "halp-redis-"));
  const args = ["--bind", bind, "--save", "", "--appendonly", "no", "--dir", folder];
  if (password !== undefined) args.push("--requirepass", password);
  if (tls) {
    args.push("--port", "0", "--tls-port", port, "--tls-auth-clients", "no");
    args.push("--tls-ca-cert-file", tls.authority, "--tls-cert-file", tls.certificate, "--tls-key-file", tls.key);
  } else args.push("--port", port);
  let child: ChildProcess | undefined;
  const start = async () => {
    const [command = "", ...words] = [...by, "redis-server", ...args];
    child = spawn(command, words, { stdio: ["ignore", "pipe", "ignore"] });
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
  const url = `${tls ? "rediss" : "redis"}://${password === undefined ? "" : `:${password}@`}${bind}:${port}`;
  return {
    url,
    connect: () => new Redis(url, tls ? { tls: { ca: readFileSync(tls.authority) } } : {}),
    start,
    kill,
    stop: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What lies in Redis beside what workers put there for themselves. */
export async function leftInRedis({ connect }: RedisServer): Promise<string[]> {
  const client = connect();
  const keys = await client.keys("*");
  client.disconnect();
  return keys
    .filter(
      (key) =>
        !/^halp:(worker:[a-z0-9]+|(device\.[a-z0-9]+|shards\.[0-9.]+):(id|meta|events|marker|stalled|stalled-check))$/.test(
          key,
        ),
    )
    .sort();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
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

/** Takes a core away some three tenths of the time, in pieces of a thirtieth of a millisecond. */
const takeTurns = `
const cell = new Int32Array(new SharedArrayBuffer(4));
for (;;) {
  const end = performance.now() + 0.03;
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
