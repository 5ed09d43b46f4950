/** Boxes of detectors: what is read of outputs, suppression, matching, and how far two networks agree. */
import fc from "fast-check";
import t from "tap";
import {
  averagePrecision,
  type Box,
  type BoxAgreement,
  type BoxOptions,
  intersectionOverUnion,
  makeBoxComparison,
  matchBoxes,
  readBoxes,
  squareAnchors,
  suppressNonMaxima,
} from "../../src/evaluation/index.js";
import { floatTensor, type Outputs } from "../../src/runtime/index.js";

/** On a coarse grid, so that boxes overlap, touch and coincide. */
const box: fc.Arbitrary<Box> = fc
  .tuple(fc.nat(8), fc.nat(8), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }), fc.nat(10), fc.nat(1))
  .map(([x, y, w, h, score, classIndex]) => ({ corners: [x, y, x + w, y + h], score: score / 10, classIndex }));
const boxes = (maxLength: number) => fc.array(box, { maxLength });
const limit = fc.constantFrom(0, 0.2, 0.5, 0.8, 1);
const at = (x: number, score = 1, classIndex = 0): Box => ({ corners: [x, 0, x + 10, 10], score, classIndex });
const close = (t: { ok(x: boolean, m: string): unknown }, a: number | null, b: number, what = "") =>
  t.ok(a !== null && Math.abs(a - b) < 1e-12, `${what} ${a}, ${b}`);

t.test("overlap: symmetrical, 1 with itself, that of the cells both cover", async () => {
  const cells = ({ corners: [x1, y1, x2, y2] }: Box) => {
    const found = new Set<string>();
    for (let x = x1; x < x2; x++) for (let y = y1; y < y2; y++) found.add(`${x},${y}`);
    return found;
  };
  fc.assert(
    fc.property(box, box, (a, b) => {
      const both = [...cells(a)].filter((c) => cells(b).has(c)).length;
      const value = both / (cells(a).size + cells(b).size - both);
      return (
        Math.abs(intersectionOverUnion(a, b) - value) < 1e-12 &&
        intersectionOverUnion(a, b) === intersectionOverUnion(b, a) &&
        intersectionOverUnion(a, a) === 1
      );
    }),
  );
});

t.test(
  "suppression: a subset by falling score without a pair above the limit, and nothing goes without a cause",
  async () => {
    fc.assert(
      fc.property(boxes(12), limit, (all, most) => {
        const kept = suppressNonMaxima(all, most);
        const rivals = (a: Box, b: Box) => a.classIndex === b.classIndex && intersectionOverUnion(a, b) > most;
        return (
          new Set(kept).size === kept.length &&
          kept.every((b) => all.includes(b)) &&
          kept.every((b, i) => i === 0 || kept[i - 1]!.score >= b.score) &&
          kept.every((a) => kept.every((b) => a === b || !rivals(a, b))) &&
          all.every((b) => kept.includes(b) || kept.some((k) => k.score >= b.score && rivals(k, b)))
        );
      }),
    );
  },
);

t.test("suppression of three in a row: the middle one goes, or both beside it", async (t) => {
  // Neighbours overlap by 5 of 10: a third of their union. The outer two only touch.
  const [a, b, c] = [at(0, 0.9), at(5, 0.8), at(10, 0.7)];
  t.strictSame(suppressNonMaxima([a, b, c], 0.3), [a, c]);
  t.strictSame(suppressNonMaxima([a, { ...b, score: 1 }, c], 0.3), [{ ...b, score: 1 }]);
  t.strictSame(suppressNonMaxima([a, b, c], 0.4), [a, b, c]);
  t.strictSame(suppressNonMaxima([a, { ...b, classIndex: 1 }, c], 0.3).length, 3, "another class suppresses none");
});

/**
 * Of all ways to give boxes to the wanted ones, the one that a comparison of lists of overlaps puts highest: the first
 * box's overlap counts before the second's.
 */
function bestInOrder(wanted: readonly Box[], sorted: readonly Box[], least: number): readonly number[] {
  const ways = (i: number, free: ReadonlySet<number>): number[][] => {
    const box = sorted[i];
    if (!box) return [[]];
    const takes = [...free].filter(
      (j) => wanted[j]!.classIndex === box.classIndex && intersectionOverUnion(wanted[j]!, box) >= least,
    );
    const without = ways(i + 1, free).map((rest) => [0, ...rest]);
    const withOne = takes.flatMap((j) =>
      ways(i + 1, new Set([...free].filter((k) => k !== j))).map((rest) => [
        intersectionOverUnion(wanted[j]!, box),
        ...rest,
      ]),
    );
    return [...without, ...withOne];
  };
  const higher = (a: readonly number[], b: readonly number[]) => {
    const i = a.findIndex((x, k) => x !== b[k]);
    return i >= 0 && a[i]! > b[i]!;
  };
  return ways(0, new Set(wanted.keys())).reduce((best, way) => (higher(way, best) ? way : best));
}

t.test("matching: one to one, by falling score, as good as the best of all ways in that order", async () => {
  fc.assert(
    fc.property(boxes(4), boxes(4), fc.constantFrom(0.2, 0.5, 0.8), (wanted, found, least) => {
      const matches = matchBoxes(wanted, found, least);
      const partners = matches.flatMap((m) => m.found ?? []);
      const sorted = matches.map((m) => m.box);
      // Where a box covers two equally well, which one it takes decides what is left for those after it: then only a
      // way's first places can be told.
      const tied = sorted.some((b) => {
        const overlaps = wanted.filter((w) => w.classIndex === b.classIndex).map((w) => intersectionOverUnion(w, b));
        const enough = overlaps.filter((o) => o >= least);
        return new Set(enough).size < enough.length;
      });
      return (
        new Set(partners).size === partners.length &&
        matches.every((m) => m.found === undefined || wanted[m.found]!.classIndex === m.box.classIndex) &&
        matches.every((m) => (m.found === undefined ? m.overlap === 0 : m.overlap >= least)) &&
        (tied || bestInOrder(wanted, sorted, least).every((overlap, i) => overlap === matches[i]!.overlap))
      );
    }),
    { numRuns: 300 },
  );
});

t.test("a limit of 0 matches boxes that touch nothing with none", async (t) => {
  t.match(matchBoxes([at(0)], [at(20)], 0), [{ found: undefined, overlap: 0 }]);
});

t.test("average precision is the area under the best precision at each recall or above", async (t) => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 12 }), fc.integer({ min: 1, max: 12 }), (hits, more) => {
      const wanted = hits.filter((h) => h).length + more - 1 || 1;
      const points = hits.map((_, i) => {
        const hit = hits.slice(0, i + 1).filter((h) => h).length;
        return { recall: hit / wanted, precision: hit / (i + 1) };
      });
      // Step by step along the recall axis: an integral that shares nothing with the sum over hits.
      let area = 0;
      for (let k = 1; k <= wanted; k++) {
        const beyond = points.filter((p) => p.recall >= k / wanted - 1e-9).map((p) => p.precision);
        area += Math.max(0, ...beyond) / wanted;
      }
      return Math.abs(area - averagePrecision(hits, wanted)) < 1e-12;
    }),
  );
  t.equal(averagePrecision([true, false, true], 4), (1 + 2 / 3) / 4);
  t.equal(averagePrecision([false, true], 1), 0.5);
});

/** One sample, one anchor a box, two classes beside the background at 0. */
function outputsOf(...samples: readonly (readonly Box[])[]): Outputs {
  const anchors = Math.max(1, ...samples.map((s) => s.length));
  const boxes = new Float32Array(samples.length * anchors * 4);
  const scores = new Float32Array(samples.length * anchors * 3);
  for (const [n, sample] of samples.entries())
    for (const [k, { corners, score, classIndex }] of sample.entries()) {
      boxes.set(corners, (n * anchors + k) * 4);
      scores[(n * anchors + k) * 3 + 1 + classIndex] = score;
    }
  return {
    boxes: floatTensor(boxes, [samples.length, anchors, 4]),
    scores: floatTensor(scores, [samples.length, anchors, 3]),
  };
}

function agreement(reference: Outputs, other: Outputs, count = 1, options: Partial<BoxOptions> = {}): BoxAgreement {
  const comparison = makeBoxComparison({ boxes: "boxes", scores: "scores", ...options });
  comparison.add(reference, other, count);
  return comparison.result();
}

t.test("a detector agrees with itself", async () => {
  fc.assert(
    fc.property(
      fc.array(boxes(8), { minLength: 1, maxLength: 3 }),
      fc.constantFrom(0.05, 0.3, 0.7),
      limit,
      (all, scoreThreshold, most) => {
        const outputs = outputsOf(...all);
        const result = agreement(outputs, outputs, all.length, { scoreThreshold, suppressionOverlap: most });
        const some = result.reference > 0;
        const whole = [result.precision, result.recall, result.f1, result.averagePrecision, result.meanOverlap];
        return (
          result.other === result.reference &&
          result.matched === result.reference &&
          whole.every((x) => (some ? Math.abs(x! - 1) < 1e-12 : x === null))
        );
      },
    ),
  );
});

t.test("agreement over two samples, by hand", async (t) => {
  const reference = outputsOf([at(0, 0.9), at(20, 0.8), at(40, 0.9, 1)], [at(0, 0.75)]);
  // Shifted by 1 of 10: 9 / 11. The second is below the threshold, the third of the wrong class; one more is nowhere.
  const other = outputsOf([at(1, 0.8), at(20, 0.6), at(40, 0.9)], [at(0, 0.95), at(60, 0.71)]);
  const result = agreement(reference, other, 2);
  t.match(result, { reference: 4, other: 4, matched: 2, precision: 0.5, recall: 0.5, f1: 0.5, samples: 2 });
  close(t, result.meanOverlap, (1 + 9 / 11) / 2, "mean overlap");
  // Class 0, by score: 0.95 hit, 0.9 miss, 0.8 hit, 0.71 miss, 0.6 hit (it is ranked, though below the threshold); three wanted.
  // Class 1: one wanted, none found.
  close(t, result.averagePrecision, ((1 + 2 / 3 + 3 / 5) / 3 + 0) / 2, "average precision");
  t.equal(agreement(reference, other, 1).samples, 1, "filling counts for nothing");
  t.match(agreement(reference, other, 2, { matchOverlap: 0.9 }), { matched: 1 });
});

t.test("reading: background, formats, one class without an axis, what is no box", async (t) => {
  const named = (name: string, values: readonly number[], dims: readonly number[]) => ({
    name,
    tensor: floatTensor(Float32Array.from(values), dims),
  });
  const read = { format: "xyxy", background: 0, scoreThreshold: 0.5 } as const;
  const places = named("boxes", [0, 0, 2, 4, 1, 1, 1, 3, 0, 0, Number.NaN, 1], [1, 3, 4]);
  const scores = named("scores", [0.8, 0.6, 0.1, 0.9, 0.1, 0.9], [1, 3, 2]);
  t.strictSame(readBoxes(places, scores, 1, read), [
    [{ corners: [0, 0, 2, 4], score: Math.fround(0.6), classIndex: 1 }],
  ]);
  t.strictSame(
    readBoxes(places, scores, 1, { ...read, background: "none" })[0]?.map((b) => b.classIndex),
    [0, 1],
  );
  t.strictSame(
    readBoxes(places, scores, 1, { ...read, background: 1 })[0]?.map((b) => b.classIndex),
    [0],
  );
  const single = named("scores", [0.75, Number.NaN, 0.9], [1, 3]);
  t.strictSame(readBoxes(places, single, 1, { ...read, format: "cxcywh" }), [
    [{ corners: [-1, -2, 1, 2], score: 0.75, classIndex: 0 }],
  ]);
  const refused = { code: "HALP_BOXES_OUTPUT", exitCode: 2 };
  t.throws(() => readBoxes(places, scores, 1, { ...read, format: "ssd", anchors: new Float32Array(8) }), {
    code: "HALP_BOXES_ANCHORS",
    message: /3 boxes, and 2 anchors/,
  });
  t.throws(() => readBoxes(scores, places, 1, read), { ...refused, message: /"scores" has the shape 1x3x2/ });
  t.throws(() => readBoxes(places, named("scores", [1, 1], [1, 2]), 1, read), {
    ...refused,
    message: /"scores" .* 1x2/,
  });
  t.throws(() => readBoxes(places, scores, 1, { ...read, background: 2 }), { ...refused, message: /class 2/ });
  const integers = { name: "boxes", tensor: { dtype: "int32" as const, dims: [1, 3, 4], data: new Int32Array(12) } };
  t.throws(() => readBoxes(integers, scores, 1, read), { ...refused, message: /int32/ });
  t.throws(() => agreement({}, {}), { ...refused, message: /no output "boxes"/ });
});

t.test("anchors: level by level, row by row, size by size, none larger than the image", async (t) => {
  const levels = [
    { stride: 10, sizes: [5, 40] },
    { stride: 16, sizes: [8] },
  ];
  const rounded = (values: Iterable<number>) => [...values].map((v) => Math.round(v * 1e4) / 1e4);
  // 20 high, 30 wide: 2 x 3 cells of two sizes, and 2 x 2 of one, that reach over the edge.
  const anchors = squareAnchors(levels, 20, 30);
  t.equal(anchors.length, (2 * 3 * 2 + 2 * 2) * 4);
  t.strictSame(
    rounded(anchors.subarray(0, 12)),
    rounded([5 / 30, 5 / 20, 5 / 30, 5 / 20, 5 / 30, 5 / 20, 1, 1, 15 / 30, 5 / 20, 5 / 30, 5 / 20]),
  );
  t.strictSame(rounded(anchors.subarray(-4)), rounded([24 / 30, 1, 8 / 30, 8 / 20]));
});

t.test("boxes relative to anchors: what encodes a box is read as that box", async () => {
  const anchor = fc.tuple(fc.nat(10), fc.nat(10), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }));
  fc.assert(
    fc.property(anchor, box, (four, { corners: [x1, y1, x2, y2] }) => {
      const [x, y, width, height] = four;
      // Equation 2 of the SSD paper, over the variances.
      const encoded = [
        ((x1 + x2) / 2 - x) / width / 0.1,
        ((y1 + y2) / 2 - y) / height / 0.1,
        Math.log((x2 - x1) / width) / 0.2,
        Math.log((y2 - y1) / height) / 0.2,
      ];
      const [[read] = []] = readBoxes(
        { name: "boxes", tensor: floatTensor(Float32Array.from(encoded), [1, 1, 4]) },
        { name: "scores", tensor: floatTensor(Float32Array.of(1), [1, 1]) },
        1,
        { format: "ssd", anchors: Float32Array.from(four), background: 0, scoreThreshold: 0.5 },
      );
      return read?.corners.every((v, i) => Math.abs(v - [x1, y1, x2, y2][i]!) < 1e-4) ?? false;
    }),
  );
});
