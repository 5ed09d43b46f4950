/** What a loss is fed of a batch's labels. */
import { type Batch, requireLabels, targetsOf } from "../data/index.js";
import { HalpError } from "../errors.js";
import { floatTensor, type RuntimeTensor } from "../runtime/index.js";

/** An input of a training graph that labels go into. Plain data. */
export type LabelFeed =
  /** What a classifier should say; dims are batch and classes. */
  | { readonly kind: "target"; readonly name: string; readonly dims: readonly number[]; readonly smoothing: number }
  /** Labels as they are. */
  | {
      readonly kind: "labels";
      readonly name: string;
      readonly dims: readonly number[];
      readonly dtype: "float32" | "int32" | "int64";
    };

/** @throws HalpError HALP_LABELS_MISSING, HALP_LABEL_RANGE */
export function feedLabels(feeds: readonly LabelFeed[], batch: Batch): Record<string, RuntimeTensor> {
  return Object.fromEntries(feeds.map((feed) => [feed.name, tensorOf(feed, batch)]));
}

function tensorOf(feed: LabelFeed, { labels, labelArray, dims: batchDims }: Batch): RuntimeTensor {
  const { dims } = feed;
  if (feed.kind === "target") {
    const [count = 0, classes = 0] = dims;
    return floatTensor(targetsOf(labels, count, classes, feed.smoothing), dims);
  }
  const { dtype } = feed;
  const all = labelArray?.data ?? requireLabels(labels, batchDims[0] ?? 0);
  if (dtype !== "float32" && !all.every(Number.isInteger))
    throw new HalpError("HALP_LABEL_RANGE", `The loss takes labels of ${dtype}; the data give fractions.`);
  if (dtype === "int64") return { dtype, dims, data: BigInt64Array.from(all, BigInt) };
  return dtype === "int32" ? { dtype, dims, data: Int32Array.from(all) } : floatTensor(Float32Array.from(all), dims);
}
