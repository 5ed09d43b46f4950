/** Labels as a loss takes them. */
import { HalpError } from "../errors.js";

/** @throws HalpError HALP_LABELS_MISSING where there is not one for each of `count` samples */
export function requireLabels(labels: Int32Array | undefined, count: number): Int32Array {
  if (labels?.length === count) return labels;
  throw new HalpError(
    "HALP_LABELS_MISSING",
    `The loss needs a label for each of the ${count} samples; came ${labels?.length ?? "none"}. Give labels, or choose a loss that needs none.`,
  );
}

/**
 * What a classifier should say: 1 at the label; with smoothing s, 1 - s there and s / classes everywhere (Szegedy et al.
 * 2016). [count, classes].
 * @throws HalpError HALP_LABELS_MISSING, HALP_LABEL_RANGE
 */
export function targetsOf(labels: Int32Array | undefined, count: number, classes: number, smoothing = 0): Float32Array {
  const targets = new Float32Array(count * classes).fill(smoothing / classes);
  requireLabels(labels, count).forEach((label, n) => {
    if (label < 0 || label >= classes)
      throw new HalpError(
        "HALP_LABEL_RANGE",
        `Expected labels from 0 to ${classes - 1}, as many as the network has classes; came ${label}.`,
      );
    targets[n * classes + label] = 1 - smoothing + smoothing / classes;
  });
  return targets;
}
