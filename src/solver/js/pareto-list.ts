/** States sorted by rising weight and value; `link` tells how each came about (see solve.ts). */
export class ParetoList {
  weight: Float64Array;
  value: Float64Array;
  link: Float64Array;
  length = 0;

  constructor(capacity: number) {
    this.weight = new Float64Array(capacity);
    this.value = new Float64Array(capacity);
    this.link = new Float64Array(capacity);
  }

  push(weight: number, value: number, link: number): void {
    const n = this.length++;
    this.weight[n] = weight;
    this.value[n] = value;
    this.link[n] = link;
  }
}

/**
 * Two lists on their way to become one without dominated states. Of two states alike in weight and value, the one for which
 * `before` holds stays.
 */
export class Merging {
  readonly out: ParetoList;
  readonly #a: ParetoList;
  readonly #b: ParetoList;
  readonly #before: (linkA: number, linkB: number) => boolean;
  #i = 0;
  #j = 0;

  constructor(a: ParetoList, b: ParetoList, before: (linkA: number, linkB: number) => boolean) {
    this.out = new ParetoList(a.length + b.length);
    this.#a = a;
    this.#b = b;
    this.#before = before;
  }

  /** Takes at most so many states more; true once all are taken. */
  advance(most: number): boolean {
    const a = this.#a;
    const b = this.#b;
    const out = this.out;
    let i = this.#i;
    let j = this.#j;
    const end = Math.min(a.length + b.length, i + j + most);
    while (i + j < end) {
      const wa = i < a.length ? a.weight[i]! : Number.POSITIVE_INFINITY;
      const wb = j < b.length ? b.weight[j]! : Number.POSITIVE_INFINITY;
      const va = i < a.length ? a.value[i]! : Number.NEGATIVE_INFINITY;
      const vb = j < b.length ? b.value[j]! : Number.NEGATIVE_INFINITY;
      const top = out.length === 0 ? Number.NEGATIVE_INFINITY : out.value[out.length - 1]!;
      if (wa === wb && va === vb) {
        if (va > top) out.push(wa, va, this.#before(a.link[i]!, b.link[j]!) ? a.link[i]! : b.link[j]!);
        i++;
        j++;
      } else if (wa < wb || (wa === wb && va > vb)) {
        if (va > top) out.push(wa, va, a.link[i]!);
        i++;
      } else {
        if (vb > top) out.push(wb, vb, b.link[j]!);
        j++;
      }
    }
    this.#i = i;
    this.#j = j;
    return i + j >= a.length + b.length;
  }
}
