/** What every reader gives: samples of one shape, in batches, with labels where there are any. */
import type { Augmentation } from "./augment.js";
import type { UnpackLimits } from "./unpack.js";

export interface Batch {
  /** Row-major values of the whole batch, normalised. Owned by the receiver: no later batch writes into it. */
  readonly images: Float32Array;
  /** [N, ...sampleDims]; N is the batch size, or less in the last batch. */
  readonly dims: readonly number[];
  /** One class index for each sample. Absent where the source has no labels. */
  readonly labels?: Int32Array;
  /** Where labels are numbers of any shape: [N, ...labelDims]. Owned by the receiver. */
  readonly labelArray?: { readonly data: Float32Array; readonly dims: readonly number[] };
}

export interface BatchOptions {
  /** Samples a batch, at least 1. */
  readonly batchSize: number;
  /** Samples in all, over all batches; default all there are. With `shuffleSeed`, a random choice of that many. */
  readonly limit?: number;
  /** Given: samples come in a random order, the same for the same seed. Absent: in the source's own order. */
  readonly shuffleSeed?: number;
  /** Given, with `limit`: which samples these are, the same ones whatever the order. Absent: the first of the order. */
  readonly choiceSeed?: number;
  /** Batches to leave out at the start. Default 0. Sources with random access do not read them. */
  readonly from?: number;
  /**
   * Given: images are changed at random. How a sample is changed depends on this seed and the sample's index alone (its
   * place in the stream where the source has no random access), not on the order or the batch it comes in.
   */
  readonly augment?: { readonly by: Augmentation; readonly seed: number };
  /** Leave out a last batch with fewer than `batchSize` samples. Default false. */
  readonly dropLast?: boolean;
  /** Checked before every batch; the iteration then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface Dataset {
  /** For messages: what it is and where it came from. */
  readonly name: string;
  /** Samples in all; undefined where only reading to the end would tell, and for endless sources. */
  readonly size: number | undefined;
  /** Shape of one sample: [C, H, W], or [H, W, C] for layout NHWC, or whatever an array or a module holds. */
  readonly sampleDims: readonly number[];
  /** How many classes the source speaks of (folders, the ten of CIFAR-10 and MNIST, or the `classes` that was asked for). */
  readonly classes?: number;
  /** Names of the classes, in the order of their indices, where the source has them. */
  readonly classNames?: readonly string[];
  /** Whether batches carry a class for each sample. */
  readonly labelled: boolean;
  /** Shape of what labels one sample, where batches carry labels as numbers of any shape. */
  readonly labelDims?: readonly number[];
  /**
   * Batches from the start; may be called any number of times, each with its own options.
   * @throws HalpError HALP_DATA_FORMAT, HALP_DATA_SHAPE, HALP_LABEL_RANGE, HALP_DATA_OPTION, HALP_DATA_MISSING, all with exit code 2
   */
  batches(options: BatchOptions): AsyncIterable<Batch>;
}

export type DatasetKind = "images" | "list" | "cifar10" | "cifar10-png" | "idx" | "npy" | "npz" | "module";

/** value = (raw * scale - mean[c]) / std[c]. */
export interface Normalization {
  /** Default 1/255 for images and other bytes, 1 for other numbers. */
  readonly scale?: number;
  /** One number for each channel, or a single one for all. Default 0. In units of the scaled values. */
  readonly mean?: readonly number[];
  /** One number for each channel, or a single one for all; none may be 0. Default 1. */
  readonly std?: readonly number[];
}

export interface DatasetSpec {
  /** A folder or a file, or the http(s) address of a list; `kind` says of what, or what lies there does. */
  readonly path: string;
  readonly kind?: "auto" | DatasetKind;
  /** Which part, where the source has two. Default "test". */
  readonly split?: "train" | "test";
  readonly normalize?: Normalization;
  /** Labels in a file of their own: .npy, IDX (also .gz), .json (an array of integers) or .txt (an integer a line). */
  readonly labels?: string;
  /**
   * What labels are: a class for each sample (default), or numbers of any shape, such as boxes or masks, which .npy, .npz, IDX,
   * data modules and files of labels can hold; other sources have classes all the same.
   */
  readonly labelsAs?: "classes" | "numbers";
  /** Layout of the samples that are wanted. Default NCHW. Arrays and modules are taken to have it already. */
  readonly layout?: "NCHW" | "NHWC";
  /** [height, width] that the network wants. Image files are resized to it; every other source must have it. */
  readonly size?: readonly [number, number];
  /** Channels that the network wants of image files: 3 (default) or 1 (luma). */
  readonly channels?: 1 | 3;
  /** How an image of another shape is brought to `size`. Default "cover": scaled to cover, then cropped at the centre. */
  readonly fit?: "cover" | "stretch";
  /** Number of classes that the network tells apart: a label at or above it is refused (HALP_LABEL_RANGE). */
  readonly classes?: number;
  /** Folders (by their real paths) and addresses that what a list names has to lie below. Default: it may lie anywhere. */
  readonly within?: readonly string[];
  /** Bounds on what compressed files may come to. */
  readonly limits?: UnpackLimits;
}
