/**
 * Protobuf strings ought to be UTF-8, but exporters put local file names in other encodings into doc strings. Such text is
 * read byte by byte, bytes above 0x7f as lone surrogates U+DC80..U+DCFF, and written back as it came (Python's
 * "surrogateescape"). Valid UTF-8 never yields lone surrogates, so the two cannot be confused.
 */
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const loneSurrogate = /[\uD800-\uDFFF]/u;
const encoder = new TextEncoder();

export function decodeText(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return Array.from(bytes, (b) => String.fromCharCode(b < 0x80 ? b : 0xdc00 + b)).join("");
  }
}

export function encodeText(text: string): Uint8Array {
  if (!loneSurrogate.test(text)) return encoder.encode(text);
  const bytes: number[] = [];
  for (const c of text) {
    const code = c.codePointAt(0) ?? 0;
    if (code >= 0xdc80 && code <= 0xdcff) bytes.push(code - 0xdc00);
    else bytes.push(...encoder.encode(c));
  }
  return Uint8Array.from(bytes);
}
