/** A list of images: files or addresses, a line each. */
import { readFile, realpath } from "node:fs/promises";
import { dirname, isAbsolute, resolve, sep } from "node:path";
import type { Dataset, DatasetSpec } from "./dataset.js";
import { fileError, formatError, missingError } from "./errors.js";
import { fetchBytes, isUrl, tellUrl, urlLiesBelow } from "./fetch-bytes.js";
import { imageDataset } from "./image-samples.js";
import { type Labels, openLabels } from "./label-array.js";
import { checkLabelCount, checkLabels } from "./labels.js";
import { textOf } from "./read-bytes.js";

const mostListBytes = 2 ** 30;
const mostImageBytes = 2 ** 28;
/** Images that are asked for at the same time. */
const atOnce = 16;

/**
 * A text with an image a line: an http(s) address or a path, relative to the list; after it, all of them or none, white
 * space and the number of its class. `{split}` in the list's own name stands for train or test. What is fetched is not kept.
 * @throws HalpError HALP_DATA_MISSING, HALP_DATA_FORMAT, HALP_DATA_FETCH, HALP_DATA_SHAPE, HALP_LABEL_RANGE, HALP_DATA_OPTION
 */
export async function openImageList(spec: DatasetSpec): Promise<Dataset> {
  const list = listOf(spec);
  const { within } = spec;
  const isAllowed = (url: string) => within === undefined || within.some((root) => urlLiesBelow(url, root));
  const text = isUrl(list)
    ? textOf(await fetchBytes(list, { isAllowed, limitBytes: mostListBytes }), tellUrl(list))
    : textOf(await readFile(list).catch((cause) => Promise.reject(fileError(list, cause))), list);
  const told = isUrl(list) ? tellUrl(list) : list;
  const { places, labels } = parseList(text, list, told);
  const inTurn = limited(atOnce);
  return await imageDataset(
    {
      name: `images of ${told}`,
      size: places.length,
      nameOf: (index) => {
        const place = places[index] as string;
        return isUrl(place) ? tellUrl(place) : place;
      },
      read: async (index, signal) => {
        const place = places[index] as string;
        if (!isUrl(place)) return within === undefined ? place : await allowedFile(place, within);
        const options = { isAllowed, limitBytes: mostImageBytes, ...(signal ? { signal } : {}) };
        return await inTurn(() => fetchBytes(place, options));
      },
      ...(await labelsOf(labels, places.length, told, spec)),
    },
    spec,
  );
}

/** Where the list of a split lies. */
export function listOf({ path, split = "test" }: Pick<DatasetSpec, "path" | "split">): string {
  return path.replaceAll("{split}", split);
}

/** @throws HalpError HALP_DATA_FORMAT, HALP_DATA_MISSING where it is empty */
function parseList(text: string, list: string, told: string): { places: string[]; labels: number[] | undefined } {
  const places: string[] = [];
  const labels: number[] = [];
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    const words = line.trim();
    if (words === "" || words.startsWith("#")) continue;
    const [, place = "", label] = /^(.*?)(?:\s+(-?\d+))?$/.exec(words) ?? [];
    places.push(placeOf(place, list, `${told}, line ${i + 1}`));
    if (label !== undefined) labels.push(Number(label));
  }
  if (places.length === 0) throw missingError(told, "the list names no image.");
  if (labels.length > 0 && labels.length < places.length)
    throw formatError(told, `${labels.length} of its ${places.length} images have a class; give it to all or to none.`);
  return { places, labels: labels.length > 0 ? labels : undefined };
}

function placeOf(place: string, list: string, line: string): string {
  if (isUrl(place) || isUrl(list)) {
    if (URL.canParse(place, isUrl(list) ? list : undefined)) {
      const url = new URL(place, isUrl(list) ? list : undefined);
      if (isUrl(url.href) && url.username === "" && url.password === "") return url.href;
    }
    throw formatError(line, `${place.slice(0, 200)} is no http or https address without a user name.`);
  }
  return isAbsolute(place) ? place : resolve(dirname(list), place);
}

async function labelsOf(
  own: readonly number[] | undefined,
  count: number,
  told: string,
  spec: DatasetSpec,
): Promise<{ labels?: Labels }> {
  if (spec.labels === undefined) return own ? { labels: checkLabels(own, spec.classes, told) } : {};
  if (own) throw formatError(told, "the list names classes itself; leave out the file of labels.");
  const labels = await openLabels(spec.labels, spec);
  checkLabelCount(labels, count, spec.labels);
  return { labels };
}

/** @throws HalpError HALP_DATA_MISSING where it is not there, or lies elsewhere */
async function allowedFile(path: string, within: readonly string[]): Promise<string> {
  const real = await realpath(path).catch((cause) => Promise.reject(fileError(path, cause)));
  if (within.some((root) => real.startsWith(root.endsWith(sep) ? root : root + sep))) return real;
  throw missingError(path, "it lies below no folder that may be read.");
}

/** Does so many things at a time, the others in the order in which they came. */
function limited(most: number): <R>(work: () => Promise<R>) => Promise<R> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}
