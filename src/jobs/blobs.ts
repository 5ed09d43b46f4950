/** Bytes in Redis, by their hash. */
import { createHash } from "node:crypto";
import { blobSeconds, partBytes } from "./names.js";
import type { RedisConnection } from "./redis.js";

type Client = RedisConnection["client"];

/** The SHA-256 by which bytes are named. */
export function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Whole or not at all; again where they are there already. They are forgotten after a while. */
export async function putBlob(client: Client, key: string, bytes: Uint8Array): Promise<void> {
  const transaction = client.multi().del(key);
  for (let at = 0; at < bytes.length; at += partBytes)
    transaction.rpush(key, Buffer.from(bytes.subarray(at, at + partBytes)));
  await transaction.expire(key, blobSeconds).exec();
}

/** Empty where there are none. */
export async function readBlob(client: Client, key: string): Promise<Uint8Array> {
  return Buffer.concat(await client.lrangeBuffer(key, 0, -1));
}
