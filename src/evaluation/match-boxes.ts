/** Which boxes of one detector are those of another, and how good a ranking of them is. */
import { type Box, byFallingScore, intersectionOverUnion } from "./boxes.js";

export interface Match {
  readonly box: Box;
  /** Place in the list of what was to be found; undefined: none was near, or another box had it. */
  readonly found: number | undefined;
  /** Intersection over union with it; 0 where there is none. */
  readonly overlap: number;
}

/**
 * Greedy matching as COCO's evaluation does it: by falling score, each box takes what it covers best of those of its class
 * that are still free, if it covers it by at least the limit. So a box never loses its match to one of a lower score.
 * @param wanted what is to be found: the original's boxes
 * @returns the boxes by falling score
 */
export function matchBoxes(wanted: readonly Box[], boxes: readonly Box[], limit: number): readonly Match[] {
  const taken = new Set<number>();
  return byFallingScore(boxes).map((box) => {
    let found: number | undefined;
    let overlap = 0;
    for (const [i, other] of wanted.entries()) {
      if (taken.has(i) || other.classIndex !== box.classIndex) continue;
      const value = intersectionOverUnion(other, box);
      if (value < limit || value <= overlap) continue;
      found = i;
      overlap = value;
    }
    if (found !== undefined) taken.add(found);
    return { box, found, overlap };
  });
}

/**
 * Average precision over all points, as PASCAL VOC takes it from 2010 on: the area under the curve of precision over recall,
 * where the precision at a recall is the best at that recall or a higher one.
 *
 *     AP = sum over the boxes i that hit, by falling score, of max over j >= i of precision(j) / wanted
 *
 * @param hits of boxes by falling score: whether each one is a match
 * @param wanted number of boxes to be found, above 0
 */
export function averagePrecision(hits: readonly boolean[], wanted: number): number {
  let count = 0;
  const precisions = hits.map((isHit, i) => {
    if (isHit) count++;
    return count / (i + 1);
  });
  let best = 0;
  let sum = 0;
  for (let i = hits.length - 1; i >= 0; i--) {
    best = Math.max(best, precisions[i]!);
    if (hits[i]) sum += best;
  }
  return sum / wanted;
}
