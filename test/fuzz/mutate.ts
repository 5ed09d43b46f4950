/** Bytes made of other bytes: what a broken disk, a bad exporter or a stranger would hand over. */
import { type Random, seeded } from "../rewrite/random-plan.js";

const interesting = [0, 1, 2, 7, 8, 16, 31, 32, 63, 64, 100, 127, 128, 129, 192, 224, 254, 255];
const words = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
/** What upsets readers of text. */
const snippets = [
  ...[
    "__proto__",
    "constructor",
    "prototype",
    "null",
    "NaN",
    "Infinity",
    "-1",
    "1e999",
    "1e15",
    "0.1",
    "true",
    "{}",
    "[]",
    '""',
  ],
  ...[
    "[[[[[[[[[[",
    '{"a":',
    "\\u0000",
    "\u001b[2J",
    "../../x",
    "9007199254740993",
    '"length"',
    "<script>",
    "%s%n",
    "\ufeff",
  ],
];

const below = (random: Random, n: number) => Math.floor(random() * n);
const pick = <T>(random: Random, list: readonly T[]): T => list[below(random, list.length)] as T;

function splice(bytes: Uint8Array, from: number, remove: number, insert: Uint8Array): Uint8Array {
  const result = new Uint8Array(bytes.length - remove + insert.length);
  result.set(bytes.subarray(0, from));
  result.set(insert, from);
  result.set(bytes.subarray(from + remove), from + insert.length);
  return result;
}

type Mutation = (bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array;

const inPlace =
  (change: (copy: Uint8Array, at: number, random: Random) => void): Mutation =>
  (bytes, random) => {
    const copy = Uint8Array.from(bytes);
    if (copy.length > 0) change(copy, below(random, copy.length), random);
    return copy;
  };

const text = (s: string) => new TextEncoder().encode(s);
/** Where text has a number or a word: [from, length]. */
function tokenIn(bytes: Uint8Array, random: Random): readonly [number, number] | undefined {
  const start = below(random, Math.max(1, bytes.length));
  const isToken = (b: number) =>
    (b >= 48 && b <= 57) || (b >= 97 && b <= 122) || (b >= 65 && b <= 90) || b === 45 || b === 46;
  let from = start;
  while (from < bytes.length && !isToken(bytes[from] as number)) from++;
  let to = from;
  while (to < bytes.length && isToken(bytes[to] as number)) to++;
  return to > from ? [from, to - from] : undefined;
}

const mutations: readonly Mutation[] = [
  inPlace((b, at, r) => {
    b[at] = (b[at] as number) ^ (1 << below(r, 8));
  }),
  inPlace((b, at, r) => {
    b[at] = pick(r, interesting);
  }),
  inPlace((b, at, r) => {
    b[at] = below(r, 256);
  }),
  inPlace((b, at, r) => {
    const view = new DataView(b.buffer);
    if (at + 4 <= b.length) view.setUint32(at, pick(r, words), r() < 0.5);
  }),
  inPlace((b, at, r) => {
    const view = new DataView(b.buffer);
    if (at + 8 <= b.length) view.setBigUint64(at, BigInt(pick(r, words)) << BigInt(below(r, 33)), r() < 0.5);
  }),
  (b, r) => b.subarray(0, below(r, b.length + 1)),
  (b, r) => {
    const from = below(r, b.length + 1);
    return splice(b, from, Math.min(b.length - from, below(r, 16)), new Uint8Array());
  },
  (b, r) => {
    const from = below(r, b.length + 1);
    const to = from + below(r, Math.min(64, b.length - from + 1));
    return splice(b, below(r, b.length + 1), 0, b.subarray(from, to));
  },
  (b, r) =>
    splice(
      b,
      below(r, b.length + 1),
      0,
      Uint8Array.from({ length: below(r, 12) }, () => below(r, 256)),
    ),
  (b, r, other) => {
    const from = below(r, other.length + 1);
    const part = other.subarray(from, from + below(r, 256));
    const at = below(r, b.length + 1);
    return splice(b, at, Math.min(b.length - at, r() < 0.5 ? part.length : 0), part);
  },
  (b, r) => {
    const token = tokenIn(b, r);
    return token ? splice(b, token[0], token[1], text(pick(r, snippets))) : b;
  },
  (b, r) => splice(b, below(r, b.length + 1), 0, text(pick(r, snippets))),
  // An array or an object within itself, in the place of a number or a word.
  (b, r) => {
    const token = tokenIn(b, r);
    const depth = pick(r, [3, 150, 250, 20_000]);
    const [open, close] = pick(r, [["[", "]"] as const, ['{"a":', "}"] as const]);
    const nested = text(`${open.repeat(depth)}1${close.repeat(depth)}`);
    return token && r() < 0.2 ? splice(b, token[0], token[1], nested) : b;
  },
];

/** One input made of the seeds, the same for the same number. */
export function mutated(seeds: readonly Uint8Array[], number: number): Uint8Array {
  const random = seeded(number);
  let bytes = pick(random, seeds);
  const rounds = 1 + below(random, random() < 0.3 ? 12 : 4);
  for (let i = 0; i < rounds; i++) bytes = pick(random, mutations)(bytes, random, pick(random, seeds));
  return bytes;
}
