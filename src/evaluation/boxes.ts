/** Boxes out of a detector's outputs, and how far two of them cover each other. */
import { HalpError } from "../errors.js";
import { floatsOf, type RuntimeTensor } from "../runtime/index.js";

/** A box [x1, y1, x2, y2] of a class, with x1 < x2 and y1 < y2, in whatever unit the network gives. */
export interface Box {
  readonly corners: readonly [x1: number, y1: number, x2: number, y2: number];
  readonly score: number;
  readonly classIndex: number;
}

/** How four numbers say where a box is: two corners; its centre, width and height; or, as in SSD, both relative to an anchor. */
export type BoxFormat = "xyxy" | "cxcywh" | "ssd";

export interface ReadBoxesOptions {
  readonly format: BoxFormat;
  /** Of "ssd": centre, width and height of the anchor of each box, K x 4. */
  readonly anchors?: Float32Array;
  /** The class that means that nothing is there. Of outputs with one class it is not asked for: that one is no background. */
  readonly background: number | "none";
  /** Boxes of a lower score are left out. */
  readonly scoreThreshold: number;
}

/**
 * Intersection over union, 0 to 1; the same both ways round. Corners given as [y1, x1, y2, x2] come to the same, if both
 * boxes have them so.
 */
export function intersectionOverUnion(a: Box, b: Box): number {
  const [ax1, ay1, ax2, ay2] = a.corners;
  const [bx1, by1, bx2, by2] = b.corners;
  const width = Math.min(ax2, bx2) - Math.max(ax1, bx1);
  const height = Math.min(ay2, by2) - Math.max(ay1, by1);
  if (!(width > 0 && height > 0)) return 0;
  const both = width * height;
  return both / ((ax2 - ax1) * (ay2 - ay1) + ((bx2 - bx1) * (by2 - by1) - both));
}

/**
 * Greedy non-maximum suppression: by falling score, a box stays unless one that stayed, of the same class, covers it by more
 * than the limit. Equal scores stay in their order.
 * @param limit intersection over union, 0 to 1
 * @returns those that stay, by falling score
 */
export function suppressNonMaxima(boxes: readonly Box[], limit: number): readonly Box[] {
  const kept: Box[] = [];
  for (const box of byFallingScore(boxes)) {
    if (kept.every((k) => k.classIndex !== box.classIndex || intersectionOverUnion(k, box) <= limit)) kept.push(box);
  }
  return kept;
}

/** Stable. */
export function byFallingScore<T extends { readonly score: number }>(boxes: readonly T[]): readonly T[] {
  return [...boxes].sort((a, b) => b.score - a.score);
}

/**
 * The boxes of every sample. An anchor gives a box for each class in which it scores enough. Boxes without area, or with
 * corners or scores that are not finite, are left out.
 * @param boxes [N, K, 4]
 * @param scores [N, K, C], or [N, K] for one class
 * @param count samples that count: the rest of a batch may be filling
 * @throws HalpError HALP_BOXES_OUTPUT where the shapes are others, or the background is no class of theirs
 */
export function readBoxes(
  boxes: Named,
  scores: Named,
  count: number,
  { format, anchors: anchorBoxes, background, scoreThreshold }: ReadBoxesOptions,
): readonly (readonly Box[])[] {
  const [samples = 0, anchors = 0, classes = 1] = checkShapes(boxes, scores, count);
  if (format === "ssd" && anchorBoxes?.length !== anchors * 4)
    throw new HalpError(
      "HALP_BOXES_ANCHORS",
      `Output "${boxes.name}" holds ${anchors} boxes, and ${(anchorBoxes?.length ?? 0) / 4} anchors are given. Each box needs its own: see --anchors.`,
      { name: boxes.name },
    );
  const nothing = classes === 1 ? "none" : background;
  if (nothing !== "none" && nothing >= classes)
    throw new HalpError(
      "HALP_BOXES_OUTPUT",
      `The background cannot be class ${nothing}: output "${scores.name}" has ${classes} classes, 0 to ${classes - 1}. Give one of them, or none.`,
      { name: scores.name },
    );
  const places = floatsOf(boxes.tensor);
  const values = floatsOf(scores.tensor);
  return Array.from({ length: Math.min(count, samples) }, (_, sample) => {
    const found: Box[] = [];
    for (let k = 0; k < anchors; k++) {
      const at = sample * anchors + k;
      for (let classIndex = 0; classIndex < classes; classIndex++) {
        const score = values[at * classes + classIndex]!;
        if (classIndex === nothing || !Number.isFinite(score) || score < scoreThreshold) continue;
        const corners = cornersOf(places.subarray(at * 4, at * 4 + 4), format, anchorBoxes?.subarray(k * 4, k * 4 + 4));
        const [x1, y1, x2, y2] = corners;
        if (corners.every(Number.isFinite) && x1 < x2 && y1 < y2) found.push({ corners, score, classIndex });
      }
    }
    return found;
  });
}

export interface Named {
  readonly name: string;
  readonly tensor: RuntimeTensor;
}

function cornersOf(four: Float32Array, format: BoxFormat, anchor: Float32Array | undefined): Box["corners"] {
  const [a = 0, b = 0, c = 0, d = 0] = four;
  if (format === "xyxy") return [a, b, c, d];
  const [x, y, width, height] = format === "ssd" && anchor ? fromAnchor(four, anchor) : [a, b, c, d];
  return [x - width / 2, y - height / 2, x + width / 2, y + height / 2];
}

/** What SSD's networks divide their regression by: of centres, and of the logarithms of sizes. */
const [centreVariance, sizeVariance] = [0.1, 0.2];

/** Equation 2 of Liu et al., SSD (2016), turned round, with the variances of its implementation. */
function fromAnchor(
  [dx = 0, dy = 0, dw = 0, dh = 0]: Float32Array,
  [x = 0, y = 0, width = 0, height = 0]: Float32Array,
): readonly [x: number, y: number, width: number, height: number] {
  return [
    x + dx * centreVariance * width,
    y + dy * centreVariance * height,
    width * Math.exp(dw * sizeVariance),
    height * Math.exp(dh * sizeVariance),
  ];
}

/** @returns [N, K, C] */
function checkShapes(boxes: Named, scores: Named, count: number): readonly number[] {
  const b = boxes.tensor.dims;
  const s = scores.tensor.dims;
  const float = [boxes, scores].find(({ tensor }) => tensor.dtype !== "float32");
  if (float)
    throw new HalpError(
      "HALP_BOXES_OUTPUT",
      `Output "${float.name}" is ${float.tensor.dtype}; boxes and scores are read as float32.`,
      { name: float.name },
    );
  if (b.length !== 3 || b[2] !== 4 || b[0]! < count)
    throw new HalpError(
      "HALP_BOXES_OUTPUT",
      `Output "${boxes.name}" has the shape ${b.join("x")}; boxes are [samples, boxes, 4]. Name another by --boxes.`,
      { name: boxes.name },
    );
  if ((s.length !== 3 && s.length !== 2) || s[0] !== b[0] || s[1] !== b[1])
    throw new HalpError(
      "HALP_BOXES_OUTPUT",
      `Output "${scores.name}" has the shape ${s.join("x")}, and there are ${b.join("x")} boxes; scores are [${b[0]}, ${b[1]}, classes]. Name another by --scores.`,
      { name: scores.name },
    );
  return [b[0]!, b[1]!, s[2] ?? 1];
}
