/**
 * Crops of photographs for a detector, at all scales: to train it on by distillation, and to hold it against its original.
 *
 *     npm run bench -- crops MODEL FOLDER... -o DIR --scores scores [--count 8000] [--seed 1] [--mean 0.5] [--std 0.5]
 *     npm run bench -- crops MODEL FOLDER... -o DIR --scores scores --grid
 *
 * At random, as many crops with something that MODEL finds as without; or with --grid the middle of each photograph in which
 * it finds something, 3 x 3 crops of 0.6 of that and 4 x 4 of 0.35. Photographs that look alike are taken once.
 */
import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { createRandom, type Random } from "../src/data/index.js";
import { readModel } from "../src/onnx/index.js";
import { createSession, floatsOf, floatTensor } from "../src/runtime/index.js";

interface Photo {
  readonly data: Buffer;
  readonly width: number;
  readonly height: number;
}

interface Window {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Bytes of a crop, at the network's size. */
type Crop = Buffer;

export async function benchCrops(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      out: { type: "string", short: "o" },
      scores: { type: "string" },
      threshold: { type: "string", default: "0.6" },
      count: { type: "string", default: "8000" },
      seed: { type: "string", default: "1" },
      grid: { type: "boolean", default: false },
      mean: { type: "string", default: "0.5" },
      std: { type: "string", default: "0.5" },
    },
  });
  const [model, ...folders] = positionals;
  const { out, scores } = values;
  if (!model || folders.length === 0 || !out || !scores)
    throw new Error(
      "usage: npm run bench -- crops MODEL FOLDER... -o DIR --scores NAME [--count N] [--seed N] [--grid]",
    );
  using session = createSession(await readModel(model));
  const [input] = session.inputs;
  const [height = 0, width = 0] = (input?.dims.slice(2) ?? []).map(Number);
  const finds = (crop: Crop): boolean => {
    const planes = new Float32Array(3 * height * width);
    for (let i = 0; i < height * width; i++)
      for (let c = 0; c < 3; c++)
        planes[c * height * width + i] = (crop[i * 3 + c]! / 255 - Number(values.mean)) / Number(values.std);
    const found = session.run({ [input?.name ?? ""]: floatTensor(planes, [1, 3, height, width]) }, [scores])[scores];
    // Scores [1, K, 2]: the first class is the background.
    return found !== undefined && floatsOf(found).some((s, i) => i % 2 === 1 && s >= Number(values.threshold));
  };
  await mkdir(out, { recursive: true });
  let written = 0;
  const save = async (crop: Crop) => {
    const name = `${String(written++).padStart(5, "0")}.jpg`;
    const image = sharp(crop, { raw: { width, height, channels: 3 } });
    await image.jpeg({ quality: 93, chromaSubsampling: "4:4:4" }).toFile(join(out, name));
  };
  const cut = (photo: Photo, window: Window) => cropOf(photo, window, width, height);

  const photos = await distinctPhotos(folders);
  const withThings: Photo[] = [];
  for (const photo of photos) {
    // The whole photograph, whatever its proportions, tells whether there is something in it.
    if (finds(await cut(photo, { left: 0, top: 0, width: photo.width, height: photo.height }))) withThings.push(photo);
  }
  console.error(`${photos.length} photographs, ${withThings.length} with something that ${model} finds`);
  if (values.grid) {
    for (const photo of withThings)
      for (const window of gridOf(photo, width / height)) await save(await cut(photo, window));
  } else {
    const random = createRandom(Number(values.seed));
    const half = Number(values.count) / 2;
    const have = { with: 0, without: 0 };
    for (let tries = 0; have.with + have.without < 2 * half && tries < 16 * half; tries++) {
      const wanted = have.with < half && random.uniform() < 0.8 ? withThings : photos;
      const photo = wanted[random.below(Math.max(1, wanted.length))];
      if (!photo) break;
      const crop = await cut(photo, drawWindow(photo, width / height, random));
      const kind = finds(crop) ? "with" : "without";
      if (have[kind] >= half) continue;
      have[kind]++;
      await save(crop);
    }
    console.error(`${have.with} crops with something, ${have.without} without`);
  }
  console.log(`${written} crops in ${out}`);
}

async function distinctPhotos(folders: readonly string[]): Promise<readonly Photo[]> {
  const seen: string[] = [];
  const photos: Photo[] = [];
  for (const folder of folders) {
    const files = (await readdir(folder, { recursive: true })).filter((f) => /\.(jpe?g|png)$/i.test(f)).sort();
    for (const file of files) {
      const path = join(folder, file);
      // Smaller files and images are icons.
      if ((await stat(path)).size < 12_000) continue;
      try {
        const { width = 0, height = 0 } = await sharp(path).metadata();
        if (Math.min(width, height) < 200 || width * height > 60e6) continue;
        const look = await lookOf(path);
        if (seen.some((other) => [...other].filter((c, i) => c !== look[i]).length <= 4)) continue;
        seen.push(look);
        const image = sharp(path).flatten().toColourspace("srgb").removeAlpha();
        const { data, info } = await image
          .resize(1280, 1280, { fit: "inside", withoutEnlargement: true })
          .raw()
          .toBuffer({ resolveWithObject: true });
        photos.push({ data, width: info.width, height: info.height });
      } catch (error) {
        console.error(`${path}: ${(error as Error).message}`);
      }
    }
  }
  return photos;
}

/** 64 times whether it gets darker to the right: alike for copies of one photograph at other sizes. */
async function lookOf(path: string): Promise<string> {
  const grey = await sharp(path).greyscale().removeAlpha().resize(9, 8, { fit: "fill" }).raw().toBuffer();
  return Array.from({ length: 64 }, (_, i) => {
    const at = Math.floor(i / 8) * 9 + (i % 8);
    return grey[at]! > grey[at + 1]! ? "1" : "0";
  }).join("");
}

async function cropOf(
  { data, width, height }: Photo,
  window: Window,
  toWidth: number,
  toHeight: number,
): Promise<Crop> {
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  return await image.extract(window).resize(toWidth, toHeight, { fit: "fill" }).raw().toBuffer();
}

/** The largest window of the network's proportions, and equally spaced ones of parts of it. */
function gridOf({ width, height }: Photo, proportion: number): readonly Window[] {
  const largest = Math.min(width, height * proportion);
  const windows = new Map<string, Window>();
  for (const [share, places] of [
    [1, 1],
    [0.6, 3],
    [0.35, 4],
  ] as const) {
    const w = Math.floor(largest * share);
    const h = Math.floor(w / proportion);
    if (w < 120) continue;
    const at = (room: number, i: number) => Math.floor(places === 1 ? room / 2 : (room * i) / (places - 1));
    for (let i = 0; i < places ** 2; i++) {
      const window = {
        left: at(width - w, Math.floor(i / places)),
        top: at(height - h, i % places),
        width: w,
        height: h,
      };
      windows.set(Object.values(window).join(), window);
    }
  }
  return [...windows.values()];
}

/** From a fifth of the largest window (100 pixels at least) up; the size falls off evenly on a scale of logarithms, the larger ones more often. */
function drawWindow({ width, height }: Photo, proportion: number, random: Random): Window {
  const largest = Math.min(width, height * proportion);
  const least = Math.min(largest, Math.max(100, largest / 5));
  const w = Math.floor(least * (largest / least) ** Math.sqrt(random.uniform()));
  const h = Math.floor(w / proportion);
  return { left: random.below(width - w + 1), top: random.below(height - h + 1), width: w, height: h };
}
