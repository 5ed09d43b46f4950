/** Runs the compiled command line in a process of its own, as a user does. */
import { spawn } from "node:child_process";

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export const halpMain = "build/src/cli/main.js";

/** Measured latencies, for tests that only need some: what one has measured the next need not. */
export const latencyCache = "build/test/latency-cache";

export async function runHalp(args: readonly string[], stdin = ""): Promise<Ran> {
  const child = spawn(process.execPath, [halpMain, ...args], { env: { ...process.env, NO_COLOR: "1" } });
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
