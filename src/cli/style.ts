/** Colours and weights of terminal text. */

const codes = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

export type Style = (text: string) => string;
export type Styles = Readonly<Record<keyof typeof codes, Style>>;

/** Styles that do nothing where colours are not wanted. */
export function makeStyles(color: boolean): Styles {
  const entries = Object.entries(codes).map(([name, [on, off]]) => [
    name,
    color ? (text: string) => `\u001b[${on}m${text}\u001b[${off}m` : (text: string) => text,
  ]);
  return Object.fromEntries(entries) as Styles;
}

/** Length of a text on the screen, escapes not counted. */
export function visibleLength(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escapes that makeStyles writes
  return text.replace(/\u001b\[\d+m/g, "").length;
}

/** Names come from the model and are untrusted: control characters in them must not reach the terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
}
