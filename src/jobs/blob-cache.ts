/** Bytes by their SHA-256: the few that were used last are kept, so that each travels once. */
export interface BlobCache {
  /** Undefined where it is not kept. What is asked for stays longest. */
  get(sha256: string): Uint8Array | undefined;
  set(sha256: string, bytes: Uint8Array): void;
}

/** More than any one task names. */
const mostBlobs = 8;

export function createBlobCache(): BlobCache {
  const kept = new Map<string, Uint8Array>();
  const set = (sha256: string, bytes: Uint8Array) => {
    kept.delete(sha256);
    kept.set(sha256, bytes);
    for (const [oldest] of kept) if (kept.size > mostBlobs) kept.delete(oldest);
  };
  return {
    get: (sha256) => {
      const bytes = kept.get(sha256);
      if (bytes) set(sha256, bytes);
      return bytes;
    },
    set,
  };
}
