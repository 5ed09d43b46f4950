/** Small files that would fill the memory are refused before they do. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { zipSync } from "fflate";
import t from "tap";
import { openDataset, readNpz } from "../../src/data/index.js";
import { idxBytes, npyBytes } from "./files.js";

const folder = t.testdir();
const file = (name: string, bytes: Uint8Array) => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};
const zeros = npyBytes("|u1", [50, 1000], new Uint8Array(50_000));

t.test("archives within and above their limit", async (t) => {
  const path = file("x.npz", zipSync({ "x.npy": zeros, "y.npy": zeros }));
  t.equal((await readNpz(path)).size, 2, "much smaller packed, and fine");
  t.equal((await readNpz(path, { unpackedBytes: 2 * zeros.length })).size, 2);
  await t.rejects(readNpz(path, { unpackedBytes: 2 * zeros.length - 1 }), {
    code: "HALP_DATA_LIMIT",
    exitCode: 2,
    message: /limits\.unpackedBytes/,
  });
  await t.rejects(openDataset({ path, limits: { unpackedBytes: 1000 } }), { code: "HALP_DATA_LIMIT" });
});

t.test("an archive that claims what no compression can do", async (t) => {
  const bytes = zipSync({ "x.npy": zeros });
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  // Both headers of the one file: the local one at 0, and the central directory's.
  const central = bytes.findIndex((_, i) => view.byteLength - i > 46 && view.getUint32(i, true) === 0x02014b50);
  view.setUint32(22, 0xfffffff0, true);
  view.setUint32(central + 24, 0xfffffff0, true);
  const before = process.memoryUsage().arrayBuffers;
  await t.rejects(readNpz(file("lies.npz", bytes)), { code: "HALP_DATA_FORMAT", message: /bytes hold 4294967280/ });
  t.ok(process.memoryUsage().arrayBuffers - before < 2 ** 28, "and no memory was taken for it");
});

t.test("gzipped files", async (t) => {
  const idx = idxBytes([50, 10, 100], new Uint8Array(50_000));
  const path = file("t10k-images-idx3-ubyte.gz", gzipSync(idx));
  t.equal((await openDataset({ path, kind: "idx" })).size, 50);
  await t.rejects(openDataset({ path, kind: "idx", limits: { unpackedBytes: 40_000 } }), { code: "HALP_DATA_LIMIT" });
});
