/** A name in quotes, cut where it is very long. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 97)}...` : name);
}

/** A short rendering of whatever came, for messages. Never throws. */
export function show(x: unknown): string {
  if (x === undefined) return "nothing";
  if (x === null) return "null";
  if (typeof x === "string") {
    const text = JSON.stringify(x.slice(0, 40));
    return x.length > 40 ? `${text.slice(0, 37)}..."` : text;
  }
  if (typeof x === "function") return "a function";
  if (typeof x !== "object") return typeof x === "bigint" ? `${String(x)}n` : String(x);
  if (Array.isArray(x)) return `an array of ${x.length}`;
  if (ArrayBuffer.isView(x)) return `a ${Object.prototype.toString.call(x).slice(8, -1)}`;
  return "an object";
}
