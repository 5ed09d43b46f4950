import { batchStream } from "./batching.js";
import type { Batch, BatchOptions, Dataset } from "./dataset.js";
import { createRandom, type Random } from "./random.js";

/**
 * Drawn images for when there is no data: "dead leaves" (Lee, Mumford and Huang 2001: overlapping shapes whose sizes
 * follow a power law have the edge statistics of photographs) with lines of strokes on some of them, like print. A network
 * trained on photographs or documents answers to them as it never does to noise.
 *
 * Values have mean 0 and deviation about 1 in each channel, as normalised photographs have. Unlabelled and endless. Sample
 * i is the same numbers for the same seed, whatever the batch size. `shuffleSeed` is mixed into the seed.
 * @param sampleDims [C, H, W]
 */
export function sceneDataset(sampleDims: readonly [number, number, number], seed: number): Dataset {
  const [channels, height, width] = sampleDims;
  const sampleSize = channels * height * width;
  async function* batches(options: BatchOptions): AsyncGenerator<Batch> {
    const { batchSize, limit = Number.POSITIVE_INFINITY, shuffleSeed, dropLast = false, signal } = options;
    const random = createRandom(shuffleSeed === undefined ? seed : seed + (shuffleSeed + 1) * 2 ** 32);
    for (let done = 0; done < limit; done += batchSize) {
      signal?.throwIfAborted();
      const count = Math.min(batchSize, limit - done);
      if (count < batchSize && dropLast) return;
      const images = new Float32Array(count * sampleSize);
      for (let i = 0; i < count; i++)
        drawScene(images.subarray(i * sampleSize, (i + 1) * sampleSize), sampleDims, random.fork());
      yield { images, dims: [count, ...sampleDims] };
    }
  }
  return {
    name: `drawn scenes, seed ${seed}`,
    size: undefined,
    sampleDims: [channels, height, width],
    labelled: false,
    batches: (options) => batchStream({ sampleDims }, options, batches),
  };
}

type Colour = readonly number[];

function drawScene(
  image: Float32Array,
  [channels, height, width]: readonly [number, number, number],
  random: Random,
): void {
  const colour = (): Colour => {
    const grey = random.uniform();
    return Array.from({ length: channels }, () => Math.min(1, Math.max(0, grey + 0.25 * random.gaussian())));
  };
  const paint = (
    x0: number,
    y0: number,
    w: number,
    h: number,
    c: Colour,
    inside: (x: number, y: number) => boolean,
  ) => {
    for (let y = Math.max(0, Math.floor(y0)); y < Math.min(height, y0 + h); y++)
      for (let x = Math.max(0, Math.floor(x0)); x < Math.min(width, x0 + w); x++)
        if (inside(((x - x0) / w) * 2 - 1, ((y - y0) / h) * 2 - 1))
          for (let k = 0; k < channels; k++) image[(k * height + y) * width + x] = c[k] as number;
  };
  const size = Math.min(height, width);
  paint(0, 0, width, height, colour(), () => true);
  const leaves = 20 + random.below(60);
  for (let i = 0; i < leaves; i++) {
    // Density of the radius proportional to r^-3 between bounds, by inversion.
    const low = size / 40;
    const high = size / 2;
    const r = low / Math.sqrt(1 - random.uniform() * (1 - (low / high) ** 2));
    const w = 2 * r * (0.5 + random.uniform());
    const round = random.uniform() < 0.5;
    paint(
      random.uniform() * width - w / 2,
      random.uniform() * height - r,
      w,
      2 * r,
      colour(),
      (x, y) => !round || x * x + y * y < 1,
    );
  }
  const lines = random.below(6);
  for (let i = 0; i < lines; i++) drawLine(random, width, height, colour, paint);
  normalise(image, channels);
}

/** A plate with a line of letter-like strokes on it. */
function drawLine(
  random: Random,
  width: number,
  height: number,
  colour: () => Colour,
  paint: (x: number, y: number, w: number, h: number, c: Colour, inside: (x: number, y: number) => boolean) => void,
): void {
  const h = Math.max(4, (height / 24) * (1 + 2 * random.uniform()));
  const letters = 3 + random.below(12);
  const x0 = random.uniform() * width * 0.6;
  const y0 = random.uniform() * (height - h);
  const [plate, ink] = random.uniform() < 0.5 ? [0.95, 0.05] : [0.05, 0.95];
  const tone = (v: number) => colour().map((c) => 0.8 * v + 0.2 * c);
  const [plateColour, inkColour] = [tone(plate), tone(ink)];
  paint(x0 - h / 2, y0 - h / 3, letters * h * 0.7 + h, h * 1.6, plateColour, () => true);
  for (let l = 0; l < letters; l++) {
    if (random.uniform() < 0.15) continue;
    const x = x0 + l * h * 0.7;
    const stroke = Math.max(1, h / 7);
    const bits = 1 + random.below(63);
    const bars: readonly (readonly [number, number, number, number])[] = [
      [0, 0, stroke, h],
      [h * 0.5 - stroke, 0, stroke, h],
      [0, 0, h * 0.5, stroke],
      [0, h / 2 - stroke / 2, h * 0.5, stroke],
      [0, h - stroke, h * 0.5, stroke],
      [h * 0.25 - stroke / 2, 0, stroke, h],
    ];
    bars.forEach(([bx, by, bw, bh], b) => {
      if ((bits >> b) & 1) paint(x + bx, y0 + by, bw, bh, inkColour, () => true);
    });
  }
}

function normalise(image: Float32Array, channels: number): void {
  const n = image.length / channels;
  for (let k = 0; k < channels; k++) {
    const plane = image.subarray(k * n, (k + 1) * n);
    let sum = 0;
    let squares = 0;
    for (const v of plane) {
      sum += v;
      squares += v * v;
    }
    const mean = sum / n;
    const deviation = Math.sqrt(Math.max(squares / n - mean * mean, 1e-4));
    plane.forEach((v, i) => {
      plane[i] = (v - mean) / deviation;
    });
  }
}
