/** Anchors of a single-shot detector: the boxes that its outputs are relative to. */

/** One map of features: an anchor of each size at the middle of each cell. */
export interface AnchorLevel {
  /** Side of a cell, in pixels of the input. */
  readonly stride: number;
  /** Sides of the anchors, which are squares, in pixels of the input. */
  readonly sizes: readonly number[];
}

/**
 * Anchors in the order in which networks put them out: level by level, row by row, cell by cell, size by size. A map has
 * ceil(height / stride) x ceil(width / stride) cells. None is larger than the image.
 * @returns centre, width and height of each, as fractions of the input's width and height: K x 4
 */
export function squareAnchors(levels: readonly AnchorLevel[], height: number, width: number): Float32Array {
  const found: number[] = [];
  const add = (...values: readonly number[]) => found.push(...values.map((v) => Math.min(1, v)));
  for (const { stride, sizes } of levels)
    for (let y = 0; y < Math.ceil(height / stride); y++)
      for (let x = 0; x < Math.ceil(width / stride); x++)
        for (const size of sizes)
          add(((x + 0.5) * stride) / width, ((y + 0.5) * stride) / height, size / width, size / height);
  return Float32Array.from(found);
}
