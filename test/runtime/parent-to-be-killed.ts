/** Starts a child, says its pid and waits; child.test.ts kills it. */
import { spawnChild } from "../../src/runtime/index.js";

async function run(): Promise<void> {
  const child = spawnChild(new URL("./echo-child.js", import.meta.url));
  await child.request("echo", 1);
  process.stdout.write(`${child.pid}\n`);
  await child.request("hang");
}

void run();
