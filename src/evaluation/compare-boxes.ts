/** How far the boxes that two detectors find agree. */
import { HalpError } from "../errors.js";
import type { Outputs } from "../runtime/index.js";
import { type BoxFormat, byFallingScore, type Named, readBoxes, suppressNonMaxima } from "./boxes.js";
import { averagePrecision, type Match, matchBoxes } from "./match-boxes.js";

export interface BoxOptions {
  /** Output of boxes [N, K, 4], and of scores [N, K, C] or [N, K]. */
  readonly boxes: string;
  readonly scores: string;
  /** Default "xyxy". */
  readonly format?: BoxFormat;
  /** Of "ssd": centre, width and height of each box's anchor, K x 4. */
  readonly anchors?: Float32Array;
  /** Class that means that nothing is there; default 0. */
  readonly background?: number | "none";
  /** Score from which on a box counts as found; default 0.7. */
  readonly scoreThreshold?: number;
  /** Overlap above which the lower-scored of two boxes of one network goes; default 0.5. */
  readonly suppressionOverlap?: number;
  /** Overlap from which on two boxes are the same; default 0.5. */
  readonly matchOverlap?: number;
}

/** Boxes of the other network are ranked down to this score for its average precision, or to the threshold where that is lower. */
export const rankedScore = 0.05;

type Settled = Required<Omit<BoxOptions, "anchors">>;

/** `halp.box-agreement/1`. Null: nothing to take it from. */
export interface BoxAgreement {
  readonly format: "halp.box-agreement/1";
  readonly reference: number;
  readonly other: number;
  readonly matched: number;
  /** matched / other */
  readonly precision: number | null;
  /** matched / reference */
  readonly recall: number | null;
  /** 2 matched / (reference + other), the harmonic mean of both. */
  readonly f1: number | null;
  /** Mean intersection over union of the boxes that match. */
  readonly meanOverlap: number | null;
  /** {@link averagePrecision}; with several classes the mean over those that the reference finds. */
  readonly averagePrecision: number | null;
  readonly samples: number;
  readonly options: Settled;
}

export interface BoxComparison {
  /**
   * Outputs of a batch. Both under the reference's names.
   * @throws HalpError HALP_BOXES_OUTPUT where an output is missing or of another shape, HALP_BOXES_ANCHORS
   */
  readonly add: (reference: Outputs, other: Outputs, count: number) => void;
  readonly result: () => BoxAgreement;
}

/**
 * Collects the boxes of two detectors, batch by batch. Of each network those that score enough stay after non-maximum
 * suppression; the reference's are what the other's should be.
 */
export function makeBoxComparison({ anchors, ...given }: BoxOptions): BoxComparison {
  const options: Settled = {
    format: "xyxy",
    background: 0,
    scoreThreshold: 0.7,
    suppressionOverlap: 0.5,
    matchOverlap: 0.5,
    ...given,
  };
  const { format, background, scoreThreshold, suppressionOverlap, matchOverlap } = options;
  const wantedOfClass = new Map<number, number>();
  const ranked: Match[] = [];
  let samples = 0;
  const boxesOf = (outputs: Outputs, count: number, threshold: number) =>
    readBoxes(pick(outputs, options.boxes), pick(outputs, options.scores), count, {
      format,
      ...(anchors ? { anchors } : {}),
      background,
      scoreThreshold: threshold,
    }).map((boxes) => suppressNonMaxima(boxes, suppressionOverlap));

  return {
    add(reference, other, count) {
      const wanted = boxesOf(reference, count, scoreThreshold);
      // Lower-scored boxes neither suppress nor take a match from those above the threshold, so one pass does for both.
      const found = boxesOf(other, count, Math.min(scoreThreshold, rankedScore));
      for (const [i, boxes] of wanted.entries()) {
        for (const { classIndex } of boxes) wantedOfClass.set(classIndex, (wantedOfClass.get(classIndex) ?? 0) + 1);
        ranked.push(...matchBoxes(boxes, found[i] ?? [], matchOverlap));
      }
      samples += count;
    },
    result() {
      const reference = [...wantedOfClass.values()].reduce((a, b) => a + b, 0);
      const counted = ranked.filter(({ box }) => box.score >= scoreThreshold);
      const matches = counted.filter((m) => m.found !== undefined);
      const ratio = (a: number, b: number) => (b > 0 ? a / b : null);
      const overlaps = matches.reduce((sum, m) => sum + m.overlap, 0);
      return {
        format: "halp.box-agreement/1",
        reference,
        other: counted.length,
        matched: matches.length,
        precision: ratio(matches.length, counted.length),
        recall: ratio(matches.length, reference),
        f1: ratio(2 * matches.length, reference + counted.length),
        meanOverlap: ratio(overlaps, matches.length),
        averagePrecision: meanPrecision(ranked, wantedOfClass),
        samples,
        options,
      };
    },
  };
}

function meanPrecision(ranked: readonly Match[], wantedOfClass: ReadonlyMap<number, number>): number | null {
  if (wantedOfClass.size === 0) return null;
  let sum = 0;
  for (const [classIndex, wanted] of wantedOfClass) {
    const own = ranked.filter(({ box }) => box.classIndex === classIndex);
    const hits = byFallingScore(own.map((m) => ({ score: m.box.score, isHit: m.found !== undefined })));
    sum += averagePrecision(
      hits.map((h) => h.isHit),
      wanted,
    );
  }
  return sum / wantedOfClass.size;
}

function pick(outputs: Outputs, name: string): Named {
  const tensor = outputs[name];
  if (tensor) return { name, tensor };
  throw new HalpError(
    "HALP_BOXES_OUTPUT",
    `There is no output "${name}". Outputs are: ${Object.keys(outputs).join(", ")}.`,
    { name },
  );
}
