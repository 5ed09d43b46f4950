/** Numbers for people, on the page and on the terminal. */

/** 1234567 -> "1.235 ms". Four significant digits, never below a nanosecond. @param micro how microseconds are written */
export function time(ns: number, micro = "µs"): string {
  const size = Math.abs(ns);
  if (size >= 1e9) return `${digits(ns / 1e9)} s`;
  if (size >= 1e6) return `${digits(ns / 1e6)} ms`;
  if (size >= 1e3) return `${digits(ns / 1e3)} ${micro}`;
  return `${Math.round(ns)} ns`;
}

/** 1234567 -> "1.235 M" */
export function count(n: number): string {
  const size = Math.abs(n);
  if (size >= 1e9) return `${digits(n / 1e9)} G`;
  if (size >= 1e6) return `${digits(n / 1e6)} M`;
  if (size >= 1e4) return `${digits(n / 1e3)} k`;
  return `${n}`;
}

/** 0.4567 -> "45.7 %" */
export function percent(share: number, places = 1): string {
  return `${(100 * share).toFixed(places)} %`;
}

export function signed(ns: number): string {
  return `${ns < 0 ? "−" : "+"}${time(Math.abs(ns))}`;
}

/** Four significant digits, three places at most. */
function digits(value: number): string {
  return value.toFixed(Math.max(0, Math.min(3, 3 - Math.floor(Math.log10(Math.abs(value))))));
}

/** A name in at most so many characters: its beginning and its end say the most. */
export function shorten(name: string, most: number): string {
  if (name.length <= most) return name;
  const end = Math.ceil((most - 1) * 0.6);
  return `${name.slice(0, most - 1 - end)}…${name.slice(name.length - end)}`;
}
