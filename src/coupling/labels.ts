import type { AxisLabels } from "../operators/spec.js";

/** Channels under construction: a union-find over labels, with the reason for which a class is frozen. */
export class LabelClasses {
  #parent = new Int32Array(1024);
  #count = 0;
  readonly #frozen = new Map<number, string>();

  get count(): number {
    return this.#count;
  }

  fresh(count: number): Int32Array {
    const needed = this.#count + count;
    if (needed > this.#parent.length) {
      const grown = new Int32Array(Math.max(needed, 2 * this.#parent.length));
      grown.set(this.#parent);
      this.#parent = grown;
    }
    const labels = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      labels[i] = this.#count;
      this.#parent[this.#count] = this.#count++;
    }
    return labels;
  }

  /** The label that stands for the class; always the smallest of the class, so results do not depend on the order of joins. */
  root(label: number): number {
    const parent = this.#parent;
    let r = label;
    while (parent[r] !== r) r = parent[r] as number;
    while (parent[label] !== r) {
      const next = parent[label] as number;
      parent[label] = r;
      label = next;
    }
    return r;
  }

  /** Joins two classes; -1 stands for a fixed position and freezes the other one with the reason. */
  join(a: number, b: number, reason: string): void {
    if (a < 0 || b < 0) {
      const label = Math.max(a, b);
      if (label >= 0) this.freeze(label, reason);
      return;
    }
    const ra = this.root(a);
    const rb = this.root(b);
    if (ra === rb) return;
    const [low, high] = ra < rb ? [ra, rb] : [rb, ra];
    this.#parent[high] = low;
    const why = this.#frozen.get(low) ?? this.#frozen.get(high);
    if (why !== undefined) this.#frozen.set(low, why);
  }

  freeze(label: number, reason: string): void {
    const r = this.root(label);
    if (!this.#frozen.has(r)) this.#frozen.set(r, reason);
  }

  frozen(label: number): string | undefined {
    return this.#frozen.get(this.root(label));
  }
}

/** Null where no position has a label. */
export function normalized(labels: AxisLabels): AxisLabels {
  return labels?.some((l) => l >= 0) ? labels : null;
}
