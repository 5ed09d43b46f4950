/** Output files: checked before any work, written whole or not at all. */
import { randomUUID } from "node:crypto";
import { access, constants, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { HalpError } from "../errors.js";

/** @throws HalpError HALP_OUTPUT_UNWRITABLE where a file could not be written there. */
export async function checkWritable(path: string): Promise<void> {
  const folder = dirname(resolve(path));
  const refuse = (why: string, cause?: unknown) =>
    new HalpError("HALP_OUTPUT_UNWRITABLE", `Cannot write ${path}: ${why}. Give another path with -o.`, {
      file: path,
      cause,
    });
  const there = await stat(path).catch(() => undefined);
  if (there?.isDirectory()) throw refuse("it is a folder");
  const parent = await stat(folder).catch((cause) => {
    throw refuse(`the folder ${folder} does not exist`, cause);
  });
  if (!parent.isDirectory()) throw refuse(`${folder} is no folder`);
  await access(folder, constants.W_OK).catch((cause) => {
    throw refuse(`the folder ${folder} may not be written to`, cause);
  });
  if (there)
    await access(path, constants.W_OK).catch((cause) => {
      throw refuse("the file is there and may not be written to", cause);
    });
}

export async function writeJson(folder: string, name: string, value: unknown): Promise<void> {
  await writeText(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
}

/** @throws HalpError HALP_OUTPUT_UNWRITABLE */
export async function writeText(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, content);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new HalpError("HALP_OUTPUT_UNWRITABLE", `Cannot write ${path}: ${(cause as Error).message}.`, {
      file: path,
      cause,
      exitCode: 1,
    });
  }
}
