/** One run a folder: two that write the same checkpoints would each go on from the other's. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { link, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { HalpError } from "../errors.js";
import { parseJson } from "../json.js";

export const lockFile = "run.lock";

/** Who holds a folder. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process began, as its system counts; null where the system does not tell. Numbers of processes come again. */
  readonly began: string | null;
  /** ISO 8601. */
  readonly since: string;
}

/**
 * Takes a run folder for this process until it is disposed of. What a process left that was killed, or whose machine was
 * started anew, does not count.
 * @throws HalpError HALP_RUN_LOCKED where another run is at work in it; HALP_RUN_FOLDER where nothing can be written there
 */
export async function lockRunFolder(folder: string): Promise<AsyncDisposable> {
  const path = join(folder, lockFile);
  const own: Holder = {
    pid: process.pid,
    host: hostname(),
    began: beginningOf(process.pid) ?? null,
    since: new Date().toISOString(),
  };
  const text = `${JSON.stringify(own)}\n`;
  // Each round one abandoned lock goes; more than a few can only be others that take and leave it.
  for (let round = 0; round < 5; round++) {
    if (await create(path, text)) {
      const release = async () => {
        if ((await readText(path)) === text) await rm(path, { force: true });
      };
      return { [Symbol.asyncDispose]: release };
    }
    const found = await readText(path);
    if (found === undefined) continue;
    const holder = parse(found);
    if (holder && isAtWork(holder)) throw locked(folder, path, holder);
    await discard(path, found);
  }
  throw locked(folder, path, undefined);
}

/** Makes the file with all its text at once. @returns false where there is one already */
async function create(path: string, text: string): Promise<boolean> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, text, { flag: "wx" });
    await link(temporary, path);
    return true;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    // Some file systems know no links; there the text comes a moment after the file.
    if (code === "EPERM" || code === "ENOTSUP" || code === "ENOSYS") return await createInPlace(path, text);
    throw new HalpError("HALP_RUN_FOLDER", `Cannot write ${path}: ${message}. Give another folder with --run.`, {
      file: path,
      cause,
      exitCode: 1,
    });
  } finally {
    await rm(temporary, { force: true });
  }
}

async function createInPlace(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    await file.writeFile(text);
    await file.close();
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw cause;
  }
}

/** Takes an abandoned lock away, and only that one: another process may have put its own there meanwhile. */
async function discard(path: string, abandoned: string): Promise<void> {
  if ((await readText(path)) !== abandoned) return;
  const aside = `${path}.${randomUUID()}.tmp`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  if ((await readText(aside)) !== abandoned) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

async function readText(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch(() => undefined);
}

function parse(text: string): Holder | undefined {
  try {
    const { pid, host, began, since } = parseJson(text) as Partial<Holder>;
    if (!Number.isInteger(pid) || (pid as number) <= 0 || typeof host !== "string" || typeof since !== "string")
      return undefined;
    return { pid: pid as number, host, began: typeof began === "string" ? began : null, since };
  } catch {
    return undefined;
  }
}

/** Of another machine nothing can be known: its lock counts. */
function isAtWork({ pid, host, began }: Holder): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // It is there, and belongs to another user.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const now = beginningOf(pid);
  return began === null || now === undefined || now === began;
}

/** The boot and the tick in which a process began (Linux: /proc); undefined elsewhere. */
function beginningOf(pid: number): string | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    // Field 22; the name in field 2 may hold spaces and brackets.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return `${boot} ${fields[19]}`;
  } catch {
    return undefined;
  }
}

function locked(folder: string, path: string, holder: Holder | undefined): HalpError {
  const who = holder ? `process ${holder.pid} on ${holder.host}, since ${holder.since}` : "others, one after the other";
  return new HalpError(
    "HALP_RUN_LOCKED",
    `Another run is at work in ${folder} (${who}). Wait for it, or give another folder with --run. If there is no such process any more, delete ${path}.`,
    { file: folder },
  );
}
