/** Writing results: whether it can be done is known before the work starts, and a file is there whole or not at all. */
import { randomBytes } from "node:crypto";
import { accessSync, constants, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { HalpError } from "../errors.js";

/**
 * Checks that a file can be written at the path; writes nothing.
 * @throws HalpError HALP_OUTPUT_PATH
 */
export function checkOutputFile(path: string): void {
  const folder = dirname(path);
  const fail = (why: string) =>
    new HalpError("HALP_OUTPUT_PATH", `The result cannot be written: ${why}. Give another path with -o.`, {
      file: path,
    });
  const folderStats = statSync(folder, { throwIfNoEntry: false });
  if (!folderStats) throw fail(`there is no folder ${folder}`);
  if (!folderStats.isDirectory()) throw fail(`${folder} is not a folder`);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isDirectory()) throw fail("it is a folder");
  try {
    accessSync(folder, constants.W_OK);
    if (stats) accessSync(path, constants.W_OK);
  } catch {
    throw fail("it is write-protected");
  }
  // Root passes access() on read-only mounts and pseudo file systems: only a trial tells.
  const trial = join(folder, `.${basename(path)}.${randomBytes(4).toString("hex")}`);
  try {
    writeFileSync(trial, "");
    rmSync(trial);
  } catch (cause) {
    throw fail((cause as Error).message);
  }
}

/**
 * Makes the folder where it is missing, and checks that files can be written in it.
 * @throws HalpError HALP_OUTPUT_PATH
 */
export function prepareOutputFolder(path: string): void {
  const fail = (why: string) =>
    new HalpError("HALP_OUTPUT_PATH", `The folder cannot be used: ${why}. Give another one.`, { file: path });
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats && !stats.isDirectory()) throw fail("it is a file");
  try {
    mkdirSync(path, { recursive: true });
    accessSync(path, constants.W_OK);
  } catch (cause) {
    throw fail((cause as Error).message);
  }
}

/** Writes beside the path first and moves it there when it is whole. */
export function writeWhole(path: string, content: string | Uint8Array): void {
  const part = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString("hex")}`);
  try {
    writeFileSync(part, content);
    renameSync(part, path);
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
}
