import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import t from "tap";
import { type Batch, type Loader, type LoaderSpec, openDataset, openLoader } from "../../src/data/index.js";
import { bytesOf, collect, npyBytes } from "./files.js";

const count = 23;
const pixels = 40;

/** Images of 2 x 4 x 5, all pixels different. */
function arrays() {
  const labels = Int32Array.from({ length: count }, (_, i) => i);
  const x = Float32Array.from({ length: count * pixels }, (_, i) => i + 1);
  return {
    "x.npy": npyBytes("<f4", [count, 2, 4, 5], bytesOf(x)),
    "y.npy": npyBytes("<i4", [count], bytesOf(labels)),
  };
}

async function read(loader: Loader, epoch: number, from?: number): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const batch of loader.epoch(epoch, from)) batches.push(batch);
  return batches;
}

const labelsOf = (batches: readonly Batch[]): number[] => batches.flatMap((b) => [...b.labels!]);

/** Sample's values by its label. */
function samplesOf(batches: readonly Batch[]): ReadonlyMap<number, readonly number[]> {
  const all = batches.flatMap((b) =>
    [...b.labels!].map((label, i) => [label, [...b.images.subarray(i * pixels, (i + 1) * pixels)]] as const),
  );
  return new Map(all.sort(([a], [b]) => a - b));
}

t.test("equal seeds give equal batches, epochs differ, any place can be gone to", async (t) => {
  const path = t.testdir(arrays());
  const spec: LoaderSpec = { dataset: { path }, batchSize: 4, seed: 5, augment: { flip: true, crop: 2 } };
  await using loader = await openLoader(spec);
  await using same = await openLoader({ ...spec, ahead: 1 });
  await using other = await openLoader({ ...spec, seed: 6 });
  t.match(loader.info, { size: count, sampleDims: [2, 4, 5], labelled: true });
  const first = await read(loader, 0);
  t.same(
    first.map((b) => b.dims),
    new Array(5).fill([4, 2, 4, 5]),
    "the last 3 samples are left out",
  );
  t.equal(new Set(labelsOf(first)).size, 20);
  t.same(await read(same, 0), first);
  t.notSame(labelsOf(await read(other, 0)), labelsOf(first));
  const second = await read(loader, 1);
  t.notSame(labelsOf(second), labelsOf(first));
  t.same(await read(loader, 0), first, "an epoch made again");
  for (let from = 0; from <= 6; from++) t.same(await read(same, 1, from), second.slice(from), `from ${from}`);
});

t.test("how a sample is changed depends on seed, epoch and sample, not on its place", async (t) => {
  const path = t.testdir(arrays());
  const spec: LoaderSpec = {
    dataset: { path },
    batchSize: 4,
    seed: 5,
    augment: { flip: true, crop: 2, resizedCrop: {} },
    dropLast: false,
  };
  await using loader = await openLoader(spec);
  await using other = await openLoader({ ...spec, batchSize: 7, shuffle: false });
  const shuffled = await read(loader, 3);
  const inOrder = await read(other, 3);
  t.same(labelsOf(inOrder), [...Array(count).keys()]);
  t.same(samplesOf(shuffled), samplesOf(inOrder));
  t.notSame(samplesOf(await read(loader, 4)), samplesOf(shuffled));
});

t.test("a limit is one choice in all epochs; without augmentation samples are as they lie", async (t) => {
  const path = t.testdir(arrays());
  const spec: LoaderSpec = { dataset: { path }, batchSize: 3, seed: 1, limit: 9 };
  await using loader = await openLoader(spec);
  await using other = await openLoader({ ...spec, seed: 2 });
  const sorted = (batches: readonly Batch[]) => labelsOf(batches).sort((a, b) => a - b);
  const first = await read(loader, 0);
  const second = await read(loader, 1);
  t.equal(new Set(labelsOf(first)).size, 9);
  t.notSame(labelsOf(second), labelsOf(first));
  t.same(sorted(second), sorted(first));
  t.notSame(sorted(await read(other, 0)), sorted(first));
  for (const [label, values] of samplesOf(first))
    t.same(
      values,
      Array.from({ length: pixels }, (_, i) => label * pixels + i + 1),
    );
});

t.test("padding is a raw 0 after normalisation", async (t) => {
  const path = t.testdir({ "x.npy": npyBytes("<f4", [6, 2, 4, 5], bytesOf(new Float32Array(6 * pixels))) });
  for (const layout of ["NCHW", "NHWC"] as const) {
    const mean = layout === "NCHW" ? [0.5, 0.25] : [0.5, 0.25, 1, 2, 3];
    const data = await openDataset({ path: join(path, "x.npy"), layout, normalize: { mean, std: [0.5] } });
    const plain = await collect(data, { batchSize: 6 });
    t.same(await collect(data, { batchSize: 6, augment: { by: { crop: 1 }, seed: 1 } }), plain, layout);
  }
});

t.test("a stream is skipped by reading; options of batches are checked", async (t) => {
  const path = t.testdir({
    "m.mjs": `export default function* ({ from, augment }) {
      if (from !== undefined || augment !== undefined) throw new Error("halp does these itself");
      for (let i = 0; i < 11; i++)
        yield { images: Float32Array.from({ length: ${pixels} }, (_, k) => i + k), dims: [1, 2, 4, 5], labels: [i] };
    }`,
  });
  const data = await openDataset({ path: join(path, "m.mjs") });
  const augment = { by: { flip: true }, seed: 3 };
  const all = await collect(data, { batchSize: 2, augment });
  t.notSame(all, await collect(data, { batchSize: 2 }));
  for (const from of [0, 2, 5, 6, 9]) t.same(await collect(data, { batchSize: 2, augment, from }), all.slice(from));
  t.same(samplesOf(await collect(data, { batchSize: 5, augment })), samplesOf(all));
  for (const from of [-1, 0.5]) await t.rejects(collect(data, { batchSize: 2, from }), { code: "HALP_DATA_OPTION" });
});

t.test("errors cross the thread", async (t) => {
  const path = t.testdir({
    "flat.npy": npyBytes("<f4", [4, 8], bytesOf(new Float32Array(32))),
    "label.mjs": `export default function* () {
      yield { images: new Float32Array(8), dims: [1, 2, 2, 2], labels: [0] };
      yield { images: new Float32Array(8), dims: [1, 2, 2, 2], labels: [5] };
    }`,
    "throws.mjs": `export default function* () {
      yield { images: new Float32Array(8), dims: [1, 2, 2, 2] };
      throw new TypeError("out of paper");
    }`,
    "falls.mjs": `export default async function* () {
      yield { images: new Float32Array(8), dims: [1, 2, 2, 2] };
      setTimeout(() => { throw new Error("fell over"); });
      await new Promise((resolve) => setTimeout(resolve, 60000));
    }`,
  });
  const open = (name: string, more: Partial<LoaderSpec> = {}) =>
    openLoader({ dataset: { path: join(path, name), classes: 3 }, batchSize: 1, seed: 0, ...more });
  const missing = join(path, "nothing.npy");
  await t.rejects(open("nothing.npy"), { name: "HalpError", code: "HALP_DATA_MISSING", exitCode: 2, file: missing });
  await t.rejects(open("flat.npy", { augment: { flip: true } }), { code: "HALP_DATA_OPTION", exitCode: 2 });
  for (const bad of [{ batchSize: 0 }, { limit: 0 }, { ahead: 0 }, { seed: Number.NaN }])
    await t.rejects(open("flat.npy", bad), { code: "HALP_DATA_OPTION" });
  for (const [name, error] of [
    ["label.mjs", { name: "HalpError", code: "HALP_LABEL_RANGE", exitCode: 2, file: join(path, "label.mjs") }],
    ["throws.mjs", { name: "HalpError", code: "HALP_DATA_LOADER", exitCode: 1, message: /out of paper/ }],
    ["falls.mjs", { name: "HalpError", code: "HALP_DATA_LOADER", exitCode: 1, message: /fell over/ }],
  ] as const) {
    await using loader = await open(name);
    const iterator = loader.epoch(0)[Symbol.asyncIterator]();
    t.notOk((await iterator.next()).done, "what came before the error is given out");
    await t.rejects(iterator.next(), error);
  }
  await using loader = await open("label.mjs");
  await t.rejects(read(loader, 0), { code: "HALP_LABEL_RANGE" });
  await t.rejects(read(loader, 1), { code: "HALP_LABEL_RANGE" }, "a failed epoch may be tried again");
  await t.rejects(read(loader, 0.5), { code: "HALP_DATA_OPTION" });
  await t.rejects(read(loader, 0, -1), { code: "HALP_DATA_OPTION" });
});

/** A module that writes down every batch that it is asked for, and that its thread lives. */
const diary = (log: string, beats: string) => `
  import { appendFileSync } from "node:fs";
  setInterval(() => appendFileSync(${JSON.stringify(beats)}, "."), 5);
  export default function* () {
    for (let i = 0; i < 1000; i++) {
      appendFileSync(${JSON.stringify(log)}, ".");
      yield { images: new Float32Array(8), dims: [1, 2, 2, 2], labels: [i] };
    }
  }`;

function diaryIn(t: { testdir(files: Record<string, string>): string }) {
  const path = t.testdir({ log: "", beats: "" });
  const [log, beats] = [join(path, "log"), join(path, "beats")];
  const lengthOf = (file: string) => readFileSync(file).length;
  return { source: diary(log, beats), path, asked: () => lengthOf(log), beats: () => lengthOf(beats) };
}

/** As a step does that runs in the thread that waits for it. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

async function hasEnded(beats: () => number): Promise<boolean> {
  await setTimeout(50);
  const then = beats();
  await setTimeout(100);
  return beats() === then;
}

t.test("batches are made ahead while the consumer is busy, so many and no more", async (t) => {
  const { source, path, asked } = diaryIn(t);
  writeFileSync(join(path, "m.mjs"), source);
  await using loader = await openLoader({ dataset: { path: join(path, "m.mjs") }, batchSize: 1, seed: 0, ahead: 4 });
  // The first batch is read once more to learn the shape.
  let taken = 0;
  for await (const batch of loader.epoch(0)) {
    t.equal(batch.labels![0], taken++);
    for (let i = 0; i < 200 && asked() - 1 < taken + 4; i++) block(20);
    block(50);
    t.equal(asked() - 1, taken + 4);
    if (taken === 4) break;
  }
  const before = asked();
  await setTimeout(50);
  t.equal(asked(), before, "an epoch given up is not read on");
  t.equal(labelsOf(await read1(loader, 1))[0], 0);
});

async function read1(loader: Loader, epoch: number): Promise<Batch[]> {
  for await (const batch of loader.epoch(epoch)) return [batch];
  return [];
}

t.test(
  "no thread is left: after dispose, after an abort, when opening fails; a later epoch ends an earlier",
  async (t) => {
    const { source, path, beats } = diaryIn(t);
    const file = join(path, "m.mjs");
    writeFileSync(file, source);
    const spec: LoaderSpec = { dataset: { path: file }, batchSize: 1, seed: 0 };
    {
      await using loader = await openLoader(spec);
      for await (const _ of loader.epoch(0)) break;
      const early = loader.epoch(0)[Symbol.asyncIterator]();
      await early.next();
      t.equal((await read1(loader, 1)).length, 1);
      t.ok((await early.next()).done);
      t.notOk(await hasEnded(beats));
    }
    t.ok(await hasEnded(beats), "disposed of");

    const disposed = await openLoader(spec);
    await disposed[Symbol.asyncDispose]();
    await disposed[Symbol.asyncDispose]();
    await t.rejects(read(disposed, 0), { code: "HALP_DATA_LOADER" });

    const controller = new AbortController();
    const aborted = await openLoader(spec, controller.signal);
    const reason = new Error("enough");
    const loop = async () => {
      let taken = 0;
      for await (const _ of aborted.epoch(0)) if (++taken === 2) controller.abort(reason);
    };
    await t.rejects(loop(), { message: "enough" });
    t.ok(await hasEnded(beats), "aborted");
    await t.rejects(read(aborted, 1), { message: "enough" });
    await aborted[Symbol.asyncDispose]();
    await t.rejects(openLoader(spec, controller.signal), { message: "enough" });

    const whileOpening = new AbortController();
    const opening = openLoader(spec, whileOpening.signal);
    whileOpening.abort(reason);
    await t.rejects(opening, { message: "enough" });
    await t.rejects(openLoader({ ...spec, augment: { crop: 2 } }), { code: "HALP_DATA_OPTION" });
    t.ok(await hasEnded(beats), "failed to open");
  },
);

t.test(
  "a module that never answers is ended; a loader that is forgotten does not keep the process alive",
  async (t) => {
    const path = t.testdir({
      "hangs.mjs": `export default function* () {
      yield { images: new Float32Array(8), dims: [1, 2, 2, 2] };
      for (;;);
    }`,
      "main.mjs": `
      const { openLoader } = await import(process.argv[2]);
      const loader = await openLoader({ dataset: { path: process.argv[3] }, batchSize: 1, seed: 0 });
      for await (const _ of loader.epoch(0)) break;
      console.log("done");`,
      ...arrays(),
    });
    const hanging = await openLoader({ dataset: { path: join(path, "hangs.mjs") }, batchSize: 1, seed: 0 });
    const iterator = hanging.epoch(0)[Symbol.asyncIterator]();
    await iterator.next();
    const waits = t.rejects(iterator.next(), { code: "HALP_DATA_LOADER", message: /disposed/ });
    await hanging[Symbol.asyncDispose]();
    await waits;
    const index = new URL("../../src/data/index.js", import.meta.url).href;
    const { stdout } = await promisify(execFile)(process.execPath, [join(path, "main.mjs"), index, path], {
      timeout: 20_000,
    });
    t.equal(stdout, "done\n");
  },
);
