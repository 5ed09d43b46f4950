/** What every test of measuring needs of this machine, measured once for all of them. */
import { cpSync, existsSync, renameSync, rmSync } from "node:fs";
import { pid } from "node:process";
import { createLatencyTable, probeAlignment } from "../../src/latency/index.js";

const known = "build/test/known-machine";

/**
 * Makes a cache folder that knows the machine (its calibration, its staircase) and no layer of any network: to find this
 * out takes a quarter of a minute, in which a test that is not about it learns nothing.
 * @returns the folder
 */
export async function ownCache(folder: string): Promise<string> {
  if (!existsSync(known)) {
    const mine = `${known}.${pid}`;
    await probeAlignment(await createLatencyTable({ cacheDir: mine, patienceMs: 0 }));
    try {
      renameSync(mine, known);
    } catch {
      // Another test was as quick: its folder is there.
      rmSync(mine, { recursive: true });
    }
  }
  cpSync(known, folder, { recursive: true });
  return folder;
}
