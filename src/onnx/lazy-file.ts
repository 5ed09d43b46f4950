/** Parts of a file that are read when they are asked for. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { HalpError } from "../errors.js";

/** An open file. It is closed when nothing refers to it any more. */
export interface LazyFile {
  readonly size: number;
  /**
   * @throws HalpError HALP_FILE_UNREADABLE; HALP_FILE_CHANGED where the file was written to since it was opened. (A file that
   * takes its place under the same name does no harm.)
   */
  read(offset: number, length: number): Uint8Array;
}

const closing = new FinalizationRegistry((descriptor: number) => closeSync(descriptor));

/** @throws Error of the file system */
export function openLazily(path: string): LazyFile {
  const descriptor = openSync(path, "r");
  const opened = fstatSync(descriptor);
  const file: LazyFile = {
    size: opened.size,
    read(offset, length) {
      const now = fstatSync(descriptor);
      if (now.size !== opened.size || now.mtimeMs !== opened.mtimeMs)
        throw new HalpError("HALP_FILE_CHANGED", `"${path}" was written to while halp worked with it; start again.`, {
          file: path,
          exitCode: 1,
        });
      const bytes = new Uint8Array(length);
      for (let at = 0; at < length; ) {
        const count = readSync(descriptor, bytes, at, Math.min(length - at, 2 ** 30), offset + at);
        if (count === 0) throw new RangeError(`"${path}" ends before byte ${offset + length}`);
        at += count;
      }
      return bytes;
    },
  };
  closing.register(file, descriptor);
  return file;
}
