const firstMs = 20_000;
const share = 0.3;

/**
 * How long measuring may wait for a machine to become quiet: some seconds, and then a share of the time since the table was
 * opened. So a machine that is always busy costs little, and a run of hours can still wait out a bout at its end.
 */
export class Patience {
  readonly #clock: () => number;
  readonly #begun: number;
  #waitedMs = 0;

  /** @param clock milliseconds */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
    this.#begun = clock();
  }

  /** Whether there is some left. */
  get left(): boolean {
    return this.#waitedMs < firstMs + share * (this.#clock() - this.#begun);
  }

  /** Takes off what waiting, and measuring again, cost. */
  spend(ms: number): void {
    this.#waitedMs += ms;
  }
}
