/** Which data a worker reads: what lies below the folders that whoever started it named, and nothing that is code. */
import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { resolve, sep } from "node:path";
import { type Dataset, detectKind, isUrl, listOf, urlLiesBelow } from "../data/index.js";
import { HalpError } from "../errors.js";
import type { DataSource } from "../evaluation/index.js";
import type { DataMark } from "./tasks.js";

/** Whether `place`, a path or an address, is `root` or lies below it, by their names alone. */
export const liesBelow = (place: string, root: string): boolean =>
  isUrl(place) || isUrl(root)
    ? urlLiesBelow(place, root)
    : place === root || place.startsWith(root.endsWith(sep) ? root : root + sep);

/** As the worker is told, and as whoever asks says it: they may run in other folders. */
export const absolute = (place: string): string => (isUrl(place) ? place : resolve(place));

/**
 * Data as a worker may open them: of a kind that is known, by real paths below one of the roots.
 * @throws HalpError HALP_JOB_DATA where it may not, HALP_DATA_MISSING where nothing is there
 */
export async function permitted(source: DataSource, roots: readonly string[]): Promise<DataSource> {
  if (source.kind === "drawn") return source;
  const { spec } = source;
  const within = await Promise.all(
    roots.map((root) => (isUrl(root) ? root : realpath(root).catch(() => resolve(root)))),
  );
  const allowed = async (path: string): Promise<string> => {
    if (isUrl(path)) {
      if (within.some((root) => liesBelow(path, root))) return path;
      throw refused(`${path} lies below no address that the worker was started with (--data-root URL)`);
    }
    const found = await realpath(path).catch(() => undefined);
    if (found === undefined) throw refused(`${path} is not there. Is it mounted, at the same place?`);
    if (!within.some((root) => liesBelow(found, root)))
      throw refused(`${path} lies below no folder that the worker was started with (--data-root DIR)`);
    return found;
  };
  const path = await allowed(listOf(spec));
  const kind = spec.kind === undefined || spec.kind === "auto" ? await detectKind(path) : spec.kind;
  if (kind === "module") throw refused("it is a module, and workers run no code that they are sent to");
  return {
    kind: "stored",
    spec: { ...spec, path, kind, within, ...(spec.labels === undefined ? {} : { labels: await allowed(spec.labels) }) },
  };
}

function refused(why: string): HalpError {
  return new HalpError("HALP_JOB_DATA", `The data cannot be read: ${why}.`, { exitCode: 1 });
}

/** Samples that {@link markOf} looks at. */
const marked = 8;

/** Two that read the same data come to the same. @throws HalpError as the data */
export async function markOf(dataset: Dataset): Promise<DataMark> {
  const hash = createHash("sha256").update(JSON.stringify(dataset.sampleDims));
  for await (const { images, labels } of dataset.batches({ batchSize: marked, limit: marked })) {
    hash.update(new Uint8Array(images.buffer, images.byteOffset, images.byteLength));
    if (labels) hash.update(new Uint8Array(labels.buffer, labels.byteOffset, labels.byteLength));
  }
  return { size: dataset.size ?? null, sha256: hash.digest("hex") };
}

/** @throws HalpError HALP_JOB_DATA where these are other data than those that were asked for */
export async function checkMark(dataset: Dataset, { size, sha256 }: DataMark): Promise<void> {
  const own = await markOf(dataset);
  if (own.size !== size)
    throw refused(`${dataset.name} holds ${own.size} samples here, and ${size} where the run was begun`);
  if (own.sha256 !== sha256) throw refused(`${dataset.name} holds other samples here than where the run was begun`);
}
