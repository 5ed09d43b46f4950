import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { zipSync } from "fflate";
import t from "tap";
import { openDataset } from "../../src/data/open-dataset.js";
import { bytesOf, collect, idxBytes, npyBytes, patternBytes } from "./files.js";

t.test("npy: every type of number comes out as it went in", async (t) => {
  const values = [0, 1, 2, 100, 3, 7];
  const write = (descr: string, put: (view: DataView, at: number, value: number) => void, width: number) => {
    const bytes = new Uint8Array(values.length * width);
    const view = new DataView(bytes.buffer);
    for (const [i, v] of values.entries()) put(view, i * width, v);
    return npyBytes(descr, [3, 2], bytes);
  };
  const files = {
    "u1.npy": write("|u1", (d, at, v) => d.setUint8(at, v), 1),
    "i1.npy": write("|i1", (d, at, v) => d.setInt8(at, v), 1),
    "i2.npy": write("<i2", (d, at, v) => d.setInt16(at, v, true), 2),
    "u2-big.npy": write(">u2", (d, at, v) => d.setUint16(at, v), 2),
    "i4.npy": write("<i4", (d, at, v) => d.setInt32(at, v, true), 4),
    "i8.npy": write("<i8", (d, at, v) => d.setBigInt64(at, BigInt(v), true), 8),
    "u8.npy": write("<u8", (d, at, v) => d.setBigUint64(at, BigInt(v), true), 8),
    "f4.npy": write("<f4", (d, at, v) => d.setFloat32(at, v, true), 4),
    "f4-big.npy": write(">f4", (d, at, v) => d.setFloat32(at, v), 4),
    "f8.npy": write("<f8", (d, at, v) => d.setFloat64(at, v, true), 8),
  };
  const folder = t.testdir(files);
  for (const name of Object.keys(files)) {
    const data = await openDataset({ path: join(folder, name), normalize: { scale: 1 } });
    t.equal(data.size, 3, name);
    t.same(data.sampleDims, [2], name);
    t.notOk(data.labelled);
    const [batch] = await collect(data, { batchSize: 3 });
    t.same([...batch!.images], values, name);
    t.same(batch!.dims, [3, 2]);
    t.equal(batch!.labels, undefined);
  }
});

t.test("npy: halves as NumPy wrote them", async (t) => {
  const file = Buffer.from(
    "k05VTVBZAQB2AHsnZGVzY3InOiAnPGYyJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAPgDA/3sBAAAAZq4=",
    "base64",
  );
  const data = await openDataset({ path: join(t.testdir({ "h.npy": file }), "h.npy") });
  const [batch] = await collect(data, { batchSize: 2 });
  t.same([...batch!.images], [1.5, -2, 65504, 2 ** -24, 0, -0.0999755859375]);
});

t.test("npz: labels, doubles and zip64 as NumPy wrote them", async (t) => {
  // np.savez_compressed(f, x_test=np.arange(24.0).reshape(2, 3, 2, 2) / 4, y_test=np.array([4, 1]))
  const file = Buffer.from(
    "UEsDBC0AAAAIAAAAIQD2esph//////////8KABQAeF90ZXN0Lm5weQEAEABAAQAAAAAAAIwAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgbpNmoa6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaRjoKxjoKQNJIU0ehVoEMwMWAAi7YQ+gHUPoFlP4Apb9A6R9Q+g+UZnCAUExQmgVKs0FpDijNBaV5oDQflBaA0oJQWghKC0NpESgtCqXFoLS4AwBQSwMELQAAAAgAAAAhAPkmyh3//////////woAFAB5X3Rlc3QubnB5AQAQAJAAAAAAAAAASgAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBuk2mhrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RpGOpo6CrUKFAAuFgYIYITSAFBLAQItAy0AAAAIAAAAIQD2esphjAAAAEABAAAKAAAAAAAAAAAAAACAAQAAAAB4X3Rlc3QubnB5UEsBAi0DLQAAAAgAAAAhAPkmyh1KAAAAkAAAAAoAAAAAAAAAAAAAAIAByAAAAHlfdGVzdC5ucHlQSwUGAAAAAAIAAgBwAAAATgEAAAAA",
    "base64",
  );
  const data = await openDataset({ path: join(t.testdir({ "a.npz": file }), "a.npz"), classes: 5 });
  t.same(data.sampleDims, [3, 2, 2]);
  t.equal(data.classes, 5);
  const [batch] = await collect(data, { batchSize: 8 });
  t.same([...batch!.labels!], [4, 1]);
  t.same(
    [...batch!.images],
    Array.from({ length: 24 }, (_, i) => i / 4),
  );
  await t.rejects(openDataset({ path: join(t.testdirName, "a.npz"), classes: 4 }), {
    code: "HALP_LABEL_RANGE",
    exitCode: 2,
  });
});

t.test("npz: normalised by channel, in either layout", async (t) => {
  const x = Float32Array.from({ length: 2 * 2 * 3 }, (_, i) => i);
  const folder = t.testdir({
    "x.npz": Buffer.from(zipSync({ "x.npy": npyBytes("<f4", [2, 2, 3], bytesOf(x)) })),
  });
  const path = join(folder, "x.npz");
  const normalize = { scale: 2, mean: [1, 3], std: [2, 4] };
  const [nchw] = await collect(await openDataset({ path, normalize }), { batchSize: 2 });
  t.same(
    [...nchw!.images],
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((v, i) => (i % 6 < 3 ? (v * 2 - 1) / 2 : (v * 2 - 3) / 4)),
  );
  const last = { scale: 1, mean: [0, 1, 2] };
  const [nhwc] = await collect(await openDataset({ path, normalize: last, layout: "NHWC" }), { batchSize: 2 });
  t.same(
    [...nhwc!.images],
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((v, i) => v - (i % 3)),
  );
  await t.rejects(openDataset({ path, normalize: { mean: [1, 2, 3] } }), { code: "HALP_DATA_OPTION" });
  await t.rejects(openDataset({ path, normalize: { std: [1, 0] } }), { code: "HALP_DATA_OPTION" });
});

t.test("a folder of arrays has two splits and labels beside them", async (t) => {
  const x = (n: number, start: number) => npyBytes("|u1", [n, 4, 4], patternBytes(n * 16, start));
  const y = (values: bigint[]) => npyBytes("<i8", [values.length], bytesOf(BigInt64Array.from(values)));
  const path = t.testdir({
    "x_train.npy": x(3, 0),
    "y_train.npy": y([0n, 2n, 1n]),
    "x_test.npy": x(2, 9),
    "y_test.npy": y([1n, 1n]),
  });
  const train = await openDataset({ path, split: "train" });
  t.same([train.size, train.labelled, train.sampleDims], [3, true, [1, 4, 4]]);
  const test = await openDataset({ path });
  const [batch] = await collect(test, { batchSize: 2 });
  t.same([...batch!.labels!], [1, 1]);
  t.same([...batch!.images], [...Float32Array.from(patternBytes(32, 9), (v) => v / 255)]);
});

t.test("idx: MNIST's files, plain and packed, by folder and by file", async (t) => {
  const images = (n: number, start: number) => idxBytes([n, 28, 28], patternBytes(n * 784, start));
  const path = t.testdir({
    "train-images-idx3-ubyte.gz": gzipSync(images(5, 1)),
    "train-labels-idx1-ubyte.gz": gzipSync(idxBytes([5], Uint8Array.of(1, 2, 3, 4, 9))),
    "t10k-images-idx3-ubyte": images(2, 50),
    "t10k-labels-idx1-ubyte": idxBytes([2], Uint8Array.of(7, 0)),
  });
  const train = await openDataset({ path, split: "train", size: [28, 28] });
  const [batch] = await collect(train, { batchSize: 5 });
  t.same(batch!.dims, [5, 1, 28, 28]);
  t.same([...batch!.labels!], [1, 2, 3, 4, 9]);
  t.same([...batch!.images], [...Float32Array.from(patternBytes(5 * 784, 1), (v) => v / 255)]);
  const one = await openDataset({ path: join(path, "t10k-images-idx3-ubyte"), layout: "NHWC" });
  t.same([one.size, one.labelled, one.sampleDims], [2, true, [28, 28, 1]]);
  await t.rejects(openDataset({ path, size: [32, 32] }), { code: "HALP_DATA_SHAPE", exitCode: 2 });
});

t.test("batches: sizes, limits, order", async (t) => {
  const labels = Int32Array.from({ length: 23 }, (_, i) => i);
  const x = Float32Array.from({ length: 46 }, (_, i) => i >> 1);
  const path = t.testdir({
    "x.npy": npyBytes("<f4", [23, 2], bytesOf(x)),
    "y.npy": npyBytes("<i4", [23], bytesOf(labels)),
  });
  const data = await openDataset({ path });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 30 }),
      fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }),
      fc.option(fc.integer(), { nil: undefined }),
      fc.boolean(),
      async (batchSize, limit, shuffleSeed, dropLast) => {
        const options = {
          batchSize,
          dropLast,
          ...(limit === undefined ? {} : { limit }),
          ...(shuffleSeed === undefined ? {} : { shuffleSeed }),
        };
        const batches = await collect(data, options);
        const total = Math.min(23, limit ?? 23);
        const expected = dropLast ? total - (total % batchSize) : total;
        const seen = batches.flatMap((b) => [...b.labels!]);
        assert.equal(seen.length, expected);
        assert.equal(new Set(seen).size, expected, "no sample twice");
        if (shuffleSeed === undefined) assert.deepEqual(seen, [...labels.subarray(0, expected)]);
        assert.ok(batches.every((b, i) => b.dims[0] === batchSize || (i === batches.length - 1 && !dropLast)));
        assert.ok(
          batches.every((b) => b.images.every((v, i) => v === b.labels![i >> 1])),
          "labels go with their samples",
        );
        const again = await collect(data, options);
        assert.deepEqual(again, batches, "the same again");
      },
    ),
    { numRuns: 60 },
  );
  for (const bad of [{ batchSize: 0 }, { batchSize: 1.5 }, { batchSize: 1, limit: 0 }]) {
    await t.rejects(collect(data, bad), { code: "HALP_DATA_OPTION" });
  }
});

t.test("a signal ends the iteration and closes the file", async (t) => {
  const path = t.testdir({ "x.npy": npyBytes("<f4", [8, 1], bytesOf(new Float32Array(8))) });
  const data = await openDataset({ path });
  const controller = new AbortController();
  let batches = 0;
  const work = (async () => {
    for await (const _ of data.batches({ batchSize: 2, signal: controller.signal })) {
      if (++batches === 2) controller.abort(new Error("enough"));
    }
  })();
  await t.rejects(work, { message: "enough" });
  t.equal(batches, 2);
});

t.test("broken files say what is wrong with them", async (t) => {
  const good = npyBytes("<f4", [4, 2], bytesOf(new Float32Array(8)));
  const idx = idxBytes([3, 2, 2], patternBytes(12));
  const gz = gzipSync(idx);
  const path = t.testdir({
    "short.npy": good.subarray(0, good.length - 3),
    "header.npy": good.subarray(0, 40),
    "empty.npy": "",
    "text.npy": "no array at all",
    "version.npy": Buffer.concat([good.subarray(0, 6), Buffer.from([9]), good.subarray(7)]),
    "complex.npy": npyBytes("<c8", [1], new Uint8Array(8)),
    "object.npy": npyBytes("|O", [1], new Uint8Array(8)),
    "none.npy": npyBytes("<f4", [0, 2], new Uint8Array(0)),
    "fortran.npy": Buffer.from(
      good.toString("latin1").replace("'fortran_order': False", "'fortran_order': True "),
      "latin1",
    ),
    "not.npz": "PK no archive",
    "cut.npz": Buffer.from(zipSync({ "x.npy": good })).subarray(0, 60),
    "odd.npz": Buffer.from(zipSync({ "weights.npy": good, "bias.npy": good })),
    "few-images.idx3-ubyte": idx.subarray(0, idx.length - 1),
    "few-images.idx3-ubyte.gz": gz.subarray(0, gz.length - 6),
    "many-images.idx3-ubyte": Buffer.concat([idx, Buffer.from([1])]),
    "what.dat": "nothing known",
    good: { "x.npy": good, "y.npy": npyBytes("<i4", [3], bytesOf(Int32Array.of(0, 1, 2))) },
    "x.npy": good,
    "three.txt": "0\n1\n2\n",
    "minus.txt": "0\n1\n-2\n1",
    "word.txt": "0\none\n2\n1",
    "half.json": "[0, 1, 2.5, 1]",
    "cut.json": "[0, 1, 2",
    "onehot.npy": npyBytes("<f4", [4, 2], bytesOf(new Float32Array(8))),
    "five.json": "[0, 1, 5, 0]",
  });
  const x = join(path, "x.npy");
  const cases: [Parameters<typeof openDataset>[0], string][] = [
    [{ path: join(path, "nowhere") }, "HALP_DATA_MISSING"],
    [{ path: join(path, "nowhere.npz"), kind: "npz" }, "HALP_DATA_MISSING"],
    [{ path: join(path, "short.npy") }, "HALP_DATA_FORMAT"],
    [{ path: join(path, "header.npy") }, "HALP_DATA_FORMAT"],
    [{ path: join(path, "empty.npy") }, "HALP_DATA_FORMAT"],
    [{ path: join(path, "text.npy") }, "HALP_DATA_FORMAT"],
    [{ path: join(path, "version.npy") }, "HALP_DATA_FORMAT"],
    [{ path: join(path, "complex.npy") }, "HALP_DATA_FORMAT"],
    [{ path: join(path, "object.npy") }, "HALP_DATA_FORMAT"],
    [{ path: join(path, "fortran.npy") }, "HALP_DATA_FORMAT"],
    [{ path: join(path, "none.npy") }, "HALP_DATA_SHAPE"],
    [{ path: join(path, "not.npz") }, "HALP_DATA_FORMAT"],
    [{ path: join(path, "cut.npz") }, "HALP_DATA_FORMAT"],
    [{ path: join(path, "odd.npz") }, "HALP_DATA_MISSING"],
    [{ path: join(path, "few-images.idx3-ubyte") }, "HALP_DATA_FORMAT"],
    [{ path: join(path, "few-images.idx3-ubyte.gz") }, "HALP_DATA_FORMAT"],
    [{ path: join(path, "many-images.idx3-ubyte") }, "HALP_DATA_FORMAT"],
    [{ path: join(path, "what.dat") }, "HALP_DATA_FORMAT"],
    [{ path: x, kind: "idx" }, "HALP_DATA_FORMAT"],
    [{ path: x, kind: "cifar10" }, "HALP_DATA_FORMAT"],
    [{ path: x, kind: "tfrecord" as "idx" }, "HALP_DATA_OPTION"],
    [{ path: join(path, "good") }, "HALP_DATA_SHAPE"],
    [{ path: x, size: [2, 1] }, "HALP_DATA_SHAPE"],
    [{ path: x, labels: join(path, "three.txt") }, "HALP_DATA_SHAPE"],
    [{ path: x, labels: join(path, "minus.txt") }, "HALP_LABEL_RANGE"],
    [{ path: x, labels: join(path, "word.txt") }, "HALP_DATA_FORMAT"],
    [{ path: x, labels: join(path, "half.json") }, "HALP_LABEL_RANGE"],
    [{ path: x, labels: join(path, "cut.json") }, "HALP_DATA_FORMAT"],
    [{ path: x, labels: join(path, "onehot.npy") }, "HALP_DATA_SHAPE"],
    [{ path: x, labels: join(path, "five.json"), classes: 5 }, "HALP_LABEL_RANGE"],
    [{ path: x, labels: join(path, "nowhere.json") }, "HALP_DATA_MISSING"],
    [{ path: x, normalize: { scale: 0 } }, "HALP_DATA_OPTION"],
    [{ path: x, normalize: { mean: [Number.NaN] } }, "HALP_DATA_OPTION"],
  ];
  for (const [spec, code] of cases) {
    await t.rejects(openDataset(spec), { name: "HalpError", code, exitCode: 2 }, `${spec.path} ${spec.labels ?? ""}`);
  }
  t.ok(await openDataset({ path: x, labels: join(path, "five.json"), classes: 6 }));
});

t.test("an array that shrinks after it was opened is noticed", async (t) => {
  const good = npyBytes("<f4", [4, 2], bytesOf(new Float32Array(8)));
  const path = join(t.testdir({ "x.npy": good }), "x.npy");
  const data = await openDataset({ path });
  writeFileSync(path, good.subarray(0, good.length - 4));
  await t.rejects(collect(data, { batchSize: 4 }), { code: "HALP_DATA_FORMAT" });
});
