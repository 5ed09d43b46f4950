/** Files written whole or not at all: beside their place under another name, then moved there. */
import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { HalpError } from "../errors.js";
import { bytesOf, type Piece } from "./wire.js";

/** Bytes at a place in a file; places left out are zero. */
export interface Segment {
  readonly offset: number;
  readonly bytes: Piece;
}
export interface FileToWrite {
  readonly path: string;
  readonly segments: readonly Segment[];
}

/**
 * Writes all files under temporary names, then moves each to its place, in the order given: put last what refers to the
 * others. On failure nothing stays behind that was not complete.
 * @param exitCode of the error; default 2, as the user may give another path
 * @throws HalpError HALP_OUTPUT_UNWRITABLE
 */
export async function writeFiles(files: readonly FileToWrite[], exitCode?: number): Promise<void> {
  const suffix = `.${randomUUID()}.tmp`;
  const temporary: string[] = [];
  let path = "";
  try {
    for (const file of files) {
      path = file.path;
      await refuseSpecial(path);
      await mkdir(dirname(path), { recursive: true });
      temporary.push(path + suffix);
      const handle = await open(path + suffix, "wx");
      try {
        for (const s of file.segments) await writeSegment(handle, s);
        await handle.sync();
      } finally {
        await handle.close();
      }
    }
    for (const file of files) {
      path = file.path;
      await rename(path + suffix, path);
    }
  } catch (cause) {
    await Promise.all(temporary.map((t) => rm(t, { force: true })));
    if (cause instanceof HalpError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new HalpError(
      "HALP_OUTPUT_UNWRITABLE",
      `Cannot write "${path}" (${why}). Nothing was written there; choose another output path.`,
      {
        file: path,
        cause,
        ...(exitCode === undefined ? {} : { exitCode }),
      },
    );
  }
}

/** Moving a file onto a device or a folder would fail late, or replace the device. */
async function refuseSpecial(path: string): Promise<void> {
  const there = await stat(path).catch(() => undefined);
  if (there && !there.isFile())
    throw new HalpError("HALP_OUTPUT_UNWRITABLE", `"${path}" is there and is no file; choose another output path.`, {
      file: path,
    });
}

async function writeSegment(handle: FileHandle, { offset, bytes: piece }: Segment): Promise<void> {
  const bytes = bytesOf(piece);
  // In pieces: one write is limited to 2 GiB.
  for (let at = 0; at < bytes.byteLength; ) {
    const { bytesWritten } = await handle.write(bytes, at, Math.min(bytes.byteLength - at, 2 ** 30), offset + at);
    at += bytesWritten;
  }
}
