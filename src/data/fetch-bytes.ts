/** Bytes from HTTP and HTTPS. */
import { setTimeout as sleep } from "node:timers/promises";
import { HalpError } from "../errors.js";

export interface FetchOptions {
  readonly signal?: AbortSignal;
  /** Addresses that may be asked, redirects included; default all. */
  readonly isAllowed?: (url: string) => boolean;
  /** Most that is taken. */
  readonly limitBytes: number;
}

const mostTries = 4;
const mostRedirects = 5;
const tryMs = 30_000;

export const isUrl = (text: string): boolean => /^https?:\/\//i.test(text);

/** Queries hold tokens: they are left out of what is told. */
export function tellUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** Whether `url` is `root` or lies below it. */
export function urlLiesBelow(url: string, root: string): boolean {
  if (!URL.canParse(url) || !URL.canParse(root)) return false;
  const { href } = new URL(url);
  const { href: above } = new URL(root);
  return href === above || href.startsWith(above.endsWith("/") ? above : `${above}/`);
}

/** What may go well the next time. */
class Passing extends Error {}

/**
 * What lies at an address. A server that does not answer, or is overloaded, is asked again, some seconds apart.
 * @throws HalpError HALP_DATA_FETCH; the signal's reason on abort
 */
export async function fetchBytes(url: string, options: FetchOptions): Promise<Uint8Array> {
  const { signal } = options;
  for (let tries = 1; ; tries++) {
    signal?.throwIfAborted();
    try {
      return await tryOnce(url, options);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (!(error instanceof Passing)) throw error;
      if (tries === mostTries) throw failed(url, `${error.message}, ${mostTries} times`, error);
    }
    await sleep(250 * 4 ** (tries - 1), undefined, signal ? { signal } : {});
  }
}

async function tryOnce(url: string, { signal, isAllowed, limitBytes }: FetchOptions): Promise<Uint8Array> {
  const late = AbortSignal.timeout(tryMs);
  const either = signal ? AbortSignal.any([signal, late]) : late;
  let at = url;
  try {
    for (let hops = 0; ; hops++) {
      if (isAllowed && !isAllowed(at)) throw failed(at, "it lies below no address that this worker may read");
      const response = await fetch(at, { redirect: "manual", signal: either });
      const location = response.headers.get("location");
      if (response.ok) return await bodyOf(response, url, limitBytes);
      await response.body?.cancel();
      if (response.status >= 300 && response.status < 400 && location !== null) {
        if (hops === mostRedirects) throw failed(url, `it leads on more than ${mostRedirects} times`);
        at = new URL(location, at).href;
        if (!isUrl(at)) throw failed(url, "it leads to something that is neither HTTP nor HTTPS");
        continue;
      }
      const why = `the server answers ${response.status} ${response.statusText}`.trim();
      if (response.status >= 500 || response.status === 429 || response.status === 408) throw new Passing(why);
      throw failed(url, why);
    }
  } catch (error) {
    if (error instanceof HalpError || error instanceof Passing || signal?.aborted) throw error;
    if (late.aborted) throw new Passing(`no answer within ${tryMs / 1000} seconds`);
    const { cause, message } = error as Error;
    throw new Passing(cause instanceof Error ? cause.message || message : message);
  }
}

async function bodyOf(response: Response, url: string, limitBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.length;
    if (length > limitBytes) throw failed(url, `it is longer than ${limitBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function failed(url: string, why: string, cause?: unknown): HalpError {
  return new HalpError("HALP_DATA_FETCH", `${tellUrl(url)} cannot be fetched: ${why}.`, { exitCode: 2, cause });
}
