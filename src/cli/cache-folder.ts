import { homedir } from "node:os";
import { join } from "node:path";

/** Where measured latencies are kept between runs: the platform's folder for such things, under `halp`. */
export function cacheFolder(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (process.platform === "win32") return join(LOCALAPPDATA ?? join(homedir(), "AppData", "Local"), "halp", "cache");
  if (process.platform === "darwin") return join(homedir(), "Library", "Caches", "halp");
  return join(XDG_CACHE_HOME || join(homedir(), ".cache"), "halp");
}
