/** Starts a child, says its pid and waits; child.test.ts kills it. */
import { spawnChild } from "../../src/runtime/index.js";

async function run(): Promise<void> {
  const child = spawnChild(new URL("./echo-child.js", import.meta.url));
  const scratch = await child.request("scratch");
  process.stdout.write(`${child.pid} ${scratch}\n`);
  await child.request("hang");
}

void run();
