/** A data set in the shape that a network's input wants. */
import type { Dataset, DatasetKind } from "../data/dataset.js";
import { openDataset } from "../data/open-dataset.js";

export interface ModelDataOptions {
  readonly path: string;
  /** "auto" (default) or a DatasetKind. */
  readonly kind?: string;
  readonly split?: "train" | "test";
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  readonly labels?: string;
}

/**
 * Opens data for an input of the given dims, [N, C, H, W] or [N, H, W, C]: an axis of 1 or 3 says where the channels are.
 * @throws HalpError as openDataset
 */
export async function openForModel(dims: readonly number[], options: ModelDataOptions): Promise<Dataset> {
  const isChannels = (d: number | undefined) => d === 1 || d === 3;
  const layout = dims.length === 4 && !isChannels(dims[1]) && isChannels(dims[3]) ? "NHWC" : "NCHW";
  const [channels, height, width] = layout === "NCHW" ? dims.slice(1) : [dims[3], dims[1], dims[2]];
  return await openDataset({
    path: options.path,
    kind: (options.kind ?? "auto") as DatasetKind | "auto",
    layout,
    normalize: {
      ...(options.mean ? { mean: options.mean } : {}),
      ...(options.std ? { std: options.std } : {}),
    },
    ...(options.split ? { split: options.split } : {}),
    ...(options.labels === undefined ? {} : { labels: options.labels }),
    ...(dims.length === 4 && height !== undefined && width !== undefined ? { size: [height, width] as const } : {}),
    ...(channels === 1 || channels === 3 ? { channels } : {}),
  });
}
