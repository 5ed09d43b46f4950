const usualMs = 20_000;
const usualShare = 0.3;

/**
 * How long measuring may wait for a machine to become quiet: some seconds, and then a share of the time since the table was
 * opened. So a machine that is always busy costs little, and a run of hours can still wait out a bout at its end.
 */
export class Patience {
  readonly #clock: () => number;
  readonly #begun: number;
  readonly #firstMs: number;
  readonly #share: number;
  #waitedMs = 0;

  /**
   * @param limitMs all that there is, if it is not to grow with the time; 0 for none
   * @param clock milliseconds
   */
  constructor(limitMs?: number, clock: () => number = () => performance.now()) {
    this.#firstMs = limitMs ?? usualMs;
    this.#share = limitMs === undefined ? usualShare : 0;
    this.#clock = clock;
    this.#begun = clock();
  }

  /** Whether there is some left. */
  get left(): boolean {
    return this.#waitedMs < this.#firstMs + this.#share * (this.#clock() - this.#begun);
  }

  /** Takes off what waiting, and measuring again, cost. */
  spend(ms: number): void {
    this.#waitedMs += ms;
  }
}
