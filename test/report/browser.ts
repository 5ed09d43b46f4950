/** The browser that tests of pages run in: Debian's, or one that is there already. */
import { spawnSync } from "node:child_process";

/** Undefined where there is none. */
export const chromiumPath = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
  .filter((name) => spawnSync(name, ["--version"]).status === 0)
  .map((name) => spawnSync("which", [name], { encoding: "utf8" }).stdout.trim())
  .find((path) => path !== "");

export const noChromium = chromiumPath ? false : "no chromium on the path: apt-get install chromium";
