/** JSON that others wrote. */

/** Deeper than any document that halp knows, and shallow enough for whatever walks or prints a value by recursion. */
export const jsonDepth = 200;

/**
 * JSON.parse, but for text that nests arrays and objects deeper than {@link jsonDepth}.
 * @throws SyntaxError
 */
export function parseJson(text: string): unknown {
  checkDepth(text);
  return JSON.parse(text);
}

const [quote, backslash, openArray, closeArray, openObject, closeObject] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];

function checkDepth(text: string): void {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === quote) i = endOfString(text, i);
    else if (c === openArray || c === openObject) {
      if (++depth > jsonDepth)
        throw new SyntaxError(`it nests arrays and objects more than ${jsonDepth} deep, at position ${i}`);
    } else if (c === closeArray || c === closeObject) depth--;
  }
}

/** Where the string that begins at `from` ends: at its quote, or at the end of the text where it has none. */
function endOfString(text: string, from: number): number {
  for (let end = text.indexOf('"', from + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === backslash) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return text.length;
}

/** A JSON object, of whatever members. */
export type JsonObject = Readonly<Record<string, unknown>>;

export const isObject = (x: unknown): x is JsonObject => typeof x === "object" && x !== null && !Array.isArray(x);
export const isNumber = (x: unknown): x is number => typeof x === "number" && Number.isFinite(x);
