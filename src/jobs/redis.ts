/** BullMQ and ioredis, loaded only where a Redis is asked for: whoever uses one machine need not have them. */
import { HalpError } from "../errors.js";

export type BullMq = typeof import("bullmq");
export type Redis = import("ioredis").Redis;

export interface RedisConnection extends AsyncDisposable {
  readonly bullmq: BullMq;
  readonly client: Redis;
  /** Another connection, for what blocks one. */
  another(): Redis;
  /** Rejects once the server has not been there for so long that waiting is in vain. */
  readonly lost: Promise<never>;
}

/** As long as this a server may be away: restarts, cables. */
const defaultLostMs = 60_000;
/** Until then the first connection has to stand, and be answered on. */
const connectMs = 5000;
/**
 * A connection that has not answered for so long is given up, and another made. Of a cable that is cut TCP itself would tell
 * after a quarter of an hour. What blocks in Redis is answered within ten seconds.
 */
const answerMs = 15_000;

/**
 * @param url redis:// or, with TLS, rediss://; with user and password where the server asks for them
 * @throws HalpError HALP_JOBS_MISSING where the packages are not installed, HALP_REDIS_URL, HALP_REDIS where there is no
 *   server, or it refuses
 */
export async function connectRedis(url: string, lostMs = defaultLostMs): Promise<RedisConnection> {
  const where = checkUrl(url);
  const [bullmq, ioredis] = await load();
  const options = {
    // Commands wait while the server is away.
    maxRetriesPerRequest: null,
    retryStrategy: (times: number) => Math.min(100 * times, 2000),
    connectTimeout: connectMs,
    socketTimeout: answerMs,
  };
  const once = { lazyConnect: true, retryStrategy: () => null, socketTimeout: connectMs };
  await tryOnce(new ioredis.Redis(url, { ...options, ...once }), where);
  const opened: Redis[] = [];
  let giveUp: (error: HalpError) => void = () => {};
  const lost = new Promise<never>((_, reject) => {
    giveUp = reject;
  });
  lost.catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  const open = (): Redis => {
    const client = new ioredis.Redis(url, options);
    // Without a listener ioredis prints each; what matters shows in `lost`.
    client.on("error", () => {});
    opened.push(client);
    return client;
  };
  const client = open();
  let why = "";
  client.on("error", ({ message }) => {
    why = `: ${message}`;
  });
  client.on("close", () => {
    timer ??= setTimeout(() => {
      const message = `Redis at ${where} has been away for ${lostMs / 1000} seconds${why}.`;
      giveUp(new HalpError("HALP_REDIS", message, { exitCode: 1 }));
    }, lostMs);
    timer.unref();
  });
  client.on("ready", () => {
    clearTimeout(timer);
    timer = undefined;
    why = "";
  });
  return {
    bullmq,
    client,
    another: open,
    lost,
    [Symbol.asyncDispose]: async () => {
      clearTimeout(timer);
      for (const one of opened) one.disconnect();
    },
  };
}

/** The URL without its password, for messages. */
function checkUrl(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
    if (!/^rediss?:$/.test(parsed.protocol)) throw new TypeError(`its protocol is ${parsed.protocol}`);
  } catch (cause) {
    throw new HalpError(
      "HALP_REDIS_URL",
      "The Redis URL is none: give redis://HOST:6379 or, with TLS, rediss://USER:PASSWORD@HOST:6379.",
      { cause },
    );
  }
  return `${parsed.protocol}//${parsed.host}${parsed.pathname === "/" ? "" : parsed.pathname}`;
}

async function load(): Promise<[BullMq, Pick<typeof import("ioredis"), "Redis">]> {
  try {
    const [bullmq, { Redis }] = await Promise.all([import("bullmq"), import("ioredis")]);
    return [bullmq, { Redis }];
  } catch (cause) {
    throw new HalpError(
      "HALP_JOBS_MISSING",
      `Work on other machines goes through BullMQ, which is not installed (${(cause as Error).message.split("\n")[0]}).\nRun: npm install bullmq ioredis`,
      { cause, exitCode: 1 },
    );
  }
}

async function tryOnce(client: Redis, where: string): Promise<void> {
  let why: NodeJS.ErrnoException | undefined;
  client.on("error", (error: Error) => {
    why ??= error;
  });
  try {
    await client.connect();
    await client.ping();
  } catch (cause) {
    const { code = "", message } = why ?? (cause as NodeJS.ErrnoException);
    throw new HalpError(
      "HALP_REDIS",
      `Redis at ${where} cannot be used: ${message.replace(/\.$/, "")}. ${whatToDo(code, where)}`,
      { cause, exitCode: 1 },
    );
  } finally {
    client.disconnect();
  }
}

/** @param code of Node, or of OpenSSL where it does not trust a certificate */
function whatToDo(code: string, where: string): string {
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return "Give the host by a name or an address that its certificate holds.";
  if (/SELF_SIGNED_CERT|^UNABLE_TO_(GET_ISSUER_CERT|VERIFY_LEAF_SIGNATURE)/.test(code))
    return "Nobody who is trusted here vouches for its certificate. If it is your own, have its authority trusted: start halp with NODE_EXTRA_CA_CERTS=FILE in its environment, the authority's certificate in PEM.";
  const tls = where.startsWith("rediss:")
    ? "does it speak TLS at this port"
    : "does it ask for TLS (rediss:// in place of redis://)";
  return `Is it running, is the password right, and ${tls}?`;
}
