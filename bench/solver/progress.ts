/** Tells on stderr how far a long run is: one line rewritten on a terminal, elsewhere a line every ten seconds. */
export class Progress {
  #last = 0;
  #open = false;

  /** @param important a line of its own everywhere */
  tell(text: string, important = false): void {
    const now = performance.now();
    if (process.stderr.isTTY === true) {
      process.stderr.write(`\r\x1b[K${text}${important ? "\n" : ""}`);
      this.#open = !important;
    } else if (important || now - this.#last > 10_000) {
      process.stderr.write(`${text}\n`);
      this.#last = now;
    }
  }

  end(): void {
    if (this.#open) process.stderr.write("\r\x1b[K");
    this.#open = false;
  }
}
