/** Number of classes that come before the label; undefined where a score is NaN. */
export function rankOf(scores: Float32Array, label: number): number | undefined {
  const own = scores[label] ?? Number.NaN;
  let rank = 0;
  for (let c = 0; c < scores.length; c++) {
    const score = scores[c]!;
    if (Number.isNaN(score)) return undefined;
    if (score > own || (score === own && c < label)) rank++;
  }
  return rank;
}
