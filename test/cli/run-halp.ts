/** Runs the compiled command line in a process of its own, as a user does. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export const halpMain = "build/src/cli/main.js";

/** Measured latencies, for tests that only need some: what one has measured the next need not. */
export const latencyCache = "build/test/latency-cache";

/** @param env variables beside those of this process */
export async function runHalp(args: readonly string[], stdin = "", env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const child = spawn(process.execPath, [halpMain, ...args], { env: { ...process.env, NO_COLOR: "1", ...env } });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  // A command that ends before it has read everything closes the pipe.
  child.stdin.on("error", () => {});
  child.stdin.end(stdin);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  return { status, stdout, stderr };
}

/** Runs it, and kills it after a while, if it has not `ended` by itself before. */
export async function killHalp(
  args: readonly string[],
  afterMs: number,
): Promise<Pick<Ran, "status" | "stderr"> & { readonly ended: boolean }> {
  const child = spawn(process.execPath, [halpMain, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-2000);
  });
  const closed = once(child, "close");
  await Promise.race([sleep(afterMs), closed]);
  const ended = child.exitCode !== null;
  child.kill("SIGKILL");
  await closed;
  return { status: child.exitCode, stderr, ended };
}
