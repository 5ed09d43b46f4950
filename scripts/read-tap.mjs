// Reads a TAP stream as tap's tests write it.
//
// Assertions are counted, and a test that holds assertions is not counted besides. A test that holds none, such as that of
// a law by fast-check, counts as one. A test that failed while none of its assertions did (a plan that was not met, a timeout) counts
// as one failure.

/**
 * @param {string} text
 * @returns {{ passed: number, failed: string[], skipped: string[] }} of what failed its place and its diagnostics
 */
export function readTap(text) {
  const lines = text.split("\n");
  const failed = [];
  const skipped = [];
  let passed = 0;
  // One entry for each depth of nesting: what has been met there since the last test of the depth above ended.
  const levels = [];
  const path = [];
  let yamlIndent = -1;
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i];
    const indent = line.search(/\S/);
    if (yamlIndent >= 0) {
      if (indent === yamlIndent && line.trim() === "...") yamlIndent = -1;
      continue;
    }
    if (indent < 0) continue;
    if (line.trim() === "---" && indent % 4 === 2) {
      yamlIndent = indent;
      continue;
    }
    if (/^\s*Bail out!/.test(line)) failed.push({ where: line.trim(), at: i });
    const depth = Math.floor(indent / 4);
    const subtest = /^\s*# Subtest: (.*)$/.exec(line);
    if (subtest) {
      path.length = depth;
      path[depth] = subtest[1];
      levels.length = depth + 1;
      levels[depth + 1] = { failures: 0, points: 0 };
      continue;
    }
    const point = /^\s*(not )?ok\b(?: \d+)?(?: - )?(.*)$/.exec(line);
    if (!point || indent % 4 !== 0) continue;
    const children = levels[depth + 1];
    levels.length = depth + 1;
    levels[depth] ??= { failures: 0, points: 0 };
    levels[depth].points++;
    const name = point[2].replace(/ # time=.*$/, "");
    const failures = children?.failures ?? 0;
    if (/ # (skip|todo)\b/i.test(point[2])) skipped.push([...path.slice(0, depth), name].join(" > "));
    else if (point[1] && failures === 0) {
      failed.push({ where: [...path.slice(0, depth), name].join(" > "), at: i });
      levels[depth].failures++;
    } else if (children?.points > 0) levels[depth].failures += failures;
    else passed++;
  }
  const describe = ({ where, at }) => {
    const indent = lines[at].search(/\S/);
    const details = [];
    for (let i = at + 1; i < lines.length && details.length < 40; i++) {
      const own = lines[i].search(/\S/);
      if (own >= 0 && own <= indent) break;
      details.push(lines[i].slice(indent));
    }
    return `${where}\n${details.join("\n").trimEnd()}`;
  };
  return { passed, failed: failed.map(describe), skipped };
}
