/**
 * halp's only source of chance. No global state: a seed in, a generator out, the same numbers on every machine.
 *
 * Generator: xoshiro128** 1.1 (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021; public
 * domain). State 128 bits, period 2^128 - 1. The state is filled from the seed by SplitMix32 (the finaliser of
 * MurmurHash3 over a Weyl sequence), so neighbouring seeds give unrelated streams. Not for cryptography.
 */
export interface Random {
  /** An integer in [0, 2^32), all equally likely. */
  uint32(): number;
  /** A double in [0, 1) with 53 random bits. */
  uniform(): number;
  /** Standard normal: mean 0, variance 1 (Box and Muller 1958). */
  gaussian(): number;
  /** An integer in [0, bound), without modulo bias. `bound` in [1, 2^32]. */
  below(bound: number): number;
  /** A generator of its own, unrelated to this one, and this one goes on: for parts that must not disturb each other. */
  fork(): Random;
}

/** @param seed any finite number; its integer part (64 bits, as far as a double holds them) decides the stream. */
export function createRandom(seed: number): Random {
  if (!Number.isFinite(seed)) throw new RangeError(`A seed is a finite number; got ${seed}.`);
  const whole = Math.trunc(seed);
  const low = whole >>> 0;
  const high = Math.floor(whole / 2 ** 32) >>> 0;
  let weyl = low ^ Math.imul(high, 0x85ebca6b);
  const splitMix = (): number => {
    weyl = (weyl + 0x9e3779b9) | 0;
    let z = weyl ^ high;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return z ^ (z >>> 16);
  };
  return fromState([splitMix(), splitMix(), splitMix(), splitMix()]);
}

/** xoshiro128** from its four words of state, which must not all be zero. For tests against the published sequence. */
export function fromState(state: readonly [number, number, number, number]): Random {
  let [s0, s1, s2, s3] = state;
  if ((s0 | s1 | s2 | s3) === 0) s0 = 1;
  let spare: number | undefined;

  const uint32 = (): number => {
    const scrambled = Math.imul(s1, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    const t = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= t;
    s3 = (s3 << 11) | (s3 >>> 21);
    return result;
  };
  const uniform = (): number => ((uint32() >>> 5) * 67108864 + (uint32() >>> 6)) / 9007199254740992;
  const gaussian = (): number => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    // 1 - uniform() lies in (0, 1], so the logarithm is finite.
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  const below = (bound: number): number => {
    if (!Number.isInteger(bound) || bound < 1 || bound > 2 ** 32) {
      throw new RangeError(`below() takes an integer from 1 to 2^32; got ${bound}.`);
    }
    // Draws from the last, incomplete run of `bound` values are thrown away.
    const limit = 2 ** 32 - (2 ** 32 % bound);
    let draw = uint32();
    while (draw >= limit) draw = uint32();
    return draw % bound;
  };
  const fork = (): Random => createRandom(uint32() + uint32() * 2 ** 21);
  return { uint32, uniform, gaussian, below, fork };
}

/** Shuffles in place (Fisher and Yates), every order equally likely. Returns the same array. */
export function shuffle<A extends unknown[] | Uint32Array | Int32Array | Float32Array | Float64Array>(
  items: A,
  random: Random,
): A {
  const a = items as unknown[];
  for (let i = a.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const held = a[i];
    a[i] = a[j];
    a[j] = held;
  }
  return items;
}

/**
 * A seed for each part of something that has a seed itself: an epoch, a sample. Different parts never get the same one.
 * @param parts whole numbers from 0 to 2^52
 */
export function deriveSeed(seed: number, ...parts: readonly number[]): number {
  return parts.reduce((from, part) => Math.floor(createRandom(from).uniform() * 2 ** 52) + part, seed);
}

/** A random order of 0 .. count-1. */
export function permutation(count: number, random: Random): Uint32Array {
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  return shuffle(order, random);
}

/** Fills with normal draws of the given mean and standard deviation. Returns the same array. */
export function fillGaussian<A extends Float32Array | Float64Array>(out: A, random: Random, mean = 0, std = 1): A {
  for (let i = 0; i < out.length; i++) out[i] = mean + std * random.gaussian();
  return out;
}

/** Fills with draws from [low, high). Returns the same array. */
export function fillUniform<A extends Float32Array | Float64Array>(out: A, random: Random, low = 0, high = 1): A {
  for (let i = 0; i < out.length; i++) out[i] = low + (high - low) * random.uniform();
  return out;
}
