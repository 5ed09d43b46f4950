/** What `halp evaluate` is told of a detector's boxes, and what it prints of them. */
import { didYouMean, HalpError } from "../errors.js";
import type { BoxAgreement, BoxOptions } from "../evaluation/index.js";
import type { OptionName, OptionValues } from "./options.js";
import { formatPercent } from "./quantities.js";

/** Those that say something only with --boxes and --scores. */
const details = ["boxFormat", "anchors", "background", "scoreThreshold", "nmsIou", "matchIou"] as const;

export const boxOptionNames: readonly OptionName[] = ["boxes", "scores", ...details];

/**
 * Undefined where boxes were not asked for.
 * @param outputNames of the original: the names that count
 * @param inputDims of the original's input
 * @throws HalpError HALP_BOXES_ANCHORS where the format needs anchors and none are given, or the other way round;
 *   HALP_BOXES_OPTIONS where one of --boxes, --scores and --against is given without the others,
 *   HALP_BOXES_OUTPUT for a name that is no output
 */
export async function boxOptions(
  options: OptionValues,
  outputNames: readonly string[],
  inputDims: readonly number[],
): Promise<BoxOptions | undefined> {
  const { boxes, scores, against, boxFormat, anchors, background, scoreThreshold, nmsIou, matchIou } = options;
  if (boxOptionNames.every((name) => options[name] === undefined)) return undefined;
  if (boxes === undefined || scores === undefined || against === undefined)
    throw new HalpError(
      "HALP_BOXES_OPTIONS",
      "How far boxes agree is told by --boxes NAME, --scores NAME and --against MODEL together, with the outputs' names. " +
        (outputNames.length > 0 ? `Outputs are: ${outputNames.join(", ")}.` : "Give all three."),
    );
  for (const name of [boxes, scores]) {
    if (!outputNames.includes(name))
      throw new HalpError(
        "HALP_BOXES_OUTPUT",
        `There is no output "${name}"${didYouMean(name, outputNames)} Outputs are: ${outputNames.join(", ")}.`,
        { name },
      );
  }
  if ((boxFormat === "ssd") !== (anchors !== undefined))
    throw new HalpError(
      "HALP_BOXES_ANCHORS",
      "Boxes of --box-format ssd are relative to anchors, and those of no other are: give --anchors with it, and only with it.",
    );
  const { squareAnchors } = await import("../evaluation/index.js");
  const [height = 1, width = 1] = inputDims[3] === 3 ? inputDims.slice(1) : inputDims.slice(2);
  return {
    boxes,
    scores,
    ...(anchors === undefined ? {} : { anchors: squareAnchors(anchors, height, width) }),
    ...(boxFormat === undefined ? {} : { format: boxFormat }),
    ...(background === undefined ? {} : { background }),
    ...(scoreThreshold === undefined ? {} : { scoreThreshold }),
    ...(nmsIou === undefined ? {} : { suppressionOverlap: nmsIou }),
    ...(matchIou === undefined ? {} : { matchOverlap: matchIou }),
  };
}

/** Rows of a table: what, the model's, the original's. */
export function boxRows(agreement: BoxAgreement): [string, string, string][] {
  const { reference, other, matched, precision, recall, f1, meanOverlap, averagePrecision } = agreement;
  const percent = (x: number | null) => (x === null ? "none" : formatPercent(x, 2));
  return [
    ["boxes", String(other), String(reference)],
    ["boxes that match", String(matched), ""],
    ["precision", percent(precision), ""],
    ["recall", percent(recall), ""],
    ["F1", percent(f1), ""],
    ["average precision", percent(averagePrecision), ""],
    ["mean overlap of matches", percent(meanOverlap), ""],
  ];
}
