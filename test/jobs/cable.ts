/** A network namespace of the test's own, and a cable between it and the rest of this machine that can be cut. */
import { execFileSync, spawnSync } from "node:child_process";

export interface Cable {
  /** The address at this end, and at the other. */
  readonly here: string;
  readonly there: string;
  /** The command that others are started with at the other end. */
  readonly by: readonly string[];
  /** Takes one end down; the addresses of the other stay there. */
  cut(end: "here" | "there"): void;
  mend(): void;
  remove(): void;
}

let count = 0;

/** @throws Error where this process may not, or there is no `ip` */
export function layCable(): Cable {
  const name = `halp${process.pid}n${++count}`;
  // 198.18.0.0/15 is set aside for tests of networks (RFC 2544): four addresses a cable, by the process.
  const block = ((process.pid * 4 + (count & 3)) * 4) & 0x1ffff;
  const address = (host: number) => `198.${18 + (block >> 16)}.${(block >> 8) & 255}.${(block & 255) + host}`;
  const [here, there] = [address(1), address(2)];
  const ip = (...words: string[]) => execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });
  const ends = { here: { at: [] as string[], device: `${name}a` }, there: { at: ["-n", name], device: `${name}b` } };
  const set = (end: keyof typeof ends, state: "up" | "down") =>
    ip(...ends[end].at, "link", "set", ends[end].device, state);
  const remove = () => {
    process.off("exit", remove);
    spawnSync("ip", ["link", "del", ends.here.device]);
    spawnSync("ip", ["netns", "del", name]);
  };
  // However the test ends.
  process.on("exit", remove);
  try {
    ip("netns", "add", name);
    ip("link", "add", ends.here.device, "type", "veth", "peer", "name", ends.there.device, "netns", name);
    ip("addr", "add", `${here}/30`, "dev", ends.here.device);
    ip("-n", name, "addr", "add", `${there}/30`, "dev", ends.there.device);
    ip("-n", name, "link", "set", "lo", "up");
    set("here", "up");
    set("there", "up");
  } catch (error) {
    remove();
    throw error;
  }
  return {
    here,
    there,
    by: ["ip", "netns", "exec", name],
    cut: (end) => void set(end, "down"),
    mend: () => {
      set("here", "up");
      set("there", "up");
    },
    remove,
  };
}

/** For `skip`: false where a cable can be laid. */
export const noCable = tryCable();

function tryCable(): false | string {
  try {
    const cable = layCable();
    try {
      execFileSync("ip", [...cable.by.slice(1), "true"], { stdio: ["ignore", "ignore", "pipe"] });
    } finally {
      cable.remove();
    }
    return false;
  } catch (error) {
    return `no network namespace can be made: ${(error as Error).message.trim().split("\n").at(-1)}`;
  }
}
