/** What was found out about the runtime on this device, on which the choice of layouts depends. */
export interface RuntimeTraits {
  /** Channels in a block of the blocked layout; 1 where the runtime has none on this device. */
  readonly blockSize: number;
}

/** A runtime that keeps every activation plain. */
export const plainTraits: RuntimeTraits = { blockSize: 1 };

/** The blocked layout takes over plain activations whose channels are a multiple of this (ONNX Runtime, ReorderInput). */
export const channelAlignment = 4;
