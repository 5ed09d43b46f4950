/** A data set in the shape that a network's input wants. */
import {
  type Dataset,
  type DatasetKind,
  type DatasetSpec,
  openDataset,
  sceneDataset,
  syntheticDataset,
} from "../data/index.js";

export interface ModelDataOptions {
  readonly path: string;
  /** "auto" (default) or a DatasetKind. */
  readonly kind?: string;
  readonly split?: "train" | "test";
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  readonly labels?: string;
  readonly labelsAs?: "classes" | "numbers";
  /** Number of classes that the network tells apart: a label at or above it is refused. */
  readonly classes?: number;
}

/** Where data come from, as plain data: samples that lie somewhere, or such as are drawn for an input of these dims. */
export type DataSource =
  | { readonly kind: "stored"; readonly spec: DatasetSpec }
  | { readonly kind: "drawn"; readonly dims: readonly number[]; readonly seed: number };

/** @throws HalpError as openDataset */
export async function openSource(source: DataSource): Promise<Dataset> {
  return source.kind === "drawn" ? drawForModel(source.dims, source.seed) : await openDataset(source.spec);
}

/** {@link openSource}, but that what was opened before is given again. */
export function openSourcesOnce(): (source: DataSource) => Promise<Dataset> {
  const opened = new Map<string, Promise<Dataset>>();
  return (source) => {
    const key = JSON.stringify(source);
    const dataset = opened.get(key) ?? openSource(source);
    opened.set(key, dataset);
    return dataset;
  };
}

/** @throws HalpError as openDataset */
export async function openForModel(dims: readonly number[], options: ModelDataOptions): Promise<Dataset> {
  return await openDataset(specForModel(dims, options));
}

/** Data for an input of the given dims, [N, C, H, W] or [N, H, W, C]: an axis of 1 or 3 says where the channels are. */
export function specForModel(dims: readonly number[], options: ModelDataOptions): DatasetSpec {
  const isChannels = (d: number | undefined) => d === 1 || d === 3;
  const layout = dims.length === 4 && !isChannels(dims[1]) && isChannels(dims[3]) ? "NHWC" : "NCHW";
  const [channels, height, width] = layout === "NCHW" ? dims.slice(1) : [dims[3], dims[1], dims[2]];
  return {
    path: options.path,
    kind: (options.kind ?? "auto") as DatasetKind | "auto",
    layout,
    normalize: {
      ...(options.mean ? { mean: options.mean } : {}),
      ...(options.std ? { std: options.std } : {}),
    },
    ...(options.split ? { split: options.split } : {}),
    ...(options.classes === undefined ? {} : { classes: options.classes }),
    ...(options.labels === undefined ? {} : { labels: options.labels }),
    ...(options.labelsAs === undefined ? {} : { labelsAs: options.labelsAs }),
    ...(dims.length === 4 && height !== undefined && width !== undefined ? { size: [height, width] as const } : {}),
    ...(channels === 1 || channels === 3 ? { channels } : {}),
  };
}

/**
 * Data for when there is none: drawn scenes where the network reads images as they usually lie ([N, 1 or 3, H, W]), else
 * noise. Unlabelled and endless.
 */
export function drawForModel(dims: readonly number[], seed: number): Dataset {
  const [, channels = 0, height = 0, width = 0] = dims;
  const images = dims.length === 4 && (channels === 1 || channels === 3) && height >= 8 && width >= 8;
  return images ? sceneDataset([channels, height, width], seed) : syntheticDataset(dims.slice(1), seed);
}
