/** Images with labels that the small classifier can learn, written to a folder: for tests of commands. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { bytesOf, npyBytes } from "../data/files.js";
import { patternBatch } from "../finetune/networks.js";

/** Images to train on and as many to test with, 3 x `side` x `side`. @param folder has to exist */
export function writeSmallData(folder: string, samples = 512, classes = 4, side = 8): void {
  for (const [part, seed] of [
    ["train", 1],
    ["test", 2],
  ] as const) {
    const { images, labels, dims } = patternBatch([samples, 3, side, side], classes, seed, 0.8);
    writeFileSync(join(folder, `x_${part}.npy`), npyBytes("<f4", dims, bytesOf(images)));
    writeFileSync(join(folder, `y_${part}.npy`), npyBytes("<i4", [samples], bytesOf(labels ?? new Int32Array())));
  }
}
