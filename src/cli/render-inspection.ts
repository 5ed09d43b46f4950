/** `halp inspect` for people: a tree that fits the terminal. */
import type { InspectedGroup, InspectedNode, Inspection } from "./inspect-model.js";
import { formatCount, formatDims, formatPercent, plural } from "./quantities.js";
import { printable, type Styles } from "./style.js";
import { truncate, wrap } from "./table.js";

/** @param all lists every layer of a group, however many there are. */
export function renderInspection(found: Inspection, width: number, styles: Styles, all: boolean): string {
  const frozen = found.groups.filter((g) => g.frozen !== null);
  const free = found.groups.filter((g) => g.frozen === null);
  const operators = Object.entries(found.operators)
    .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");
  const head: [string, string][] = [
    ["model", `${found.model}, opset ${found.opset}${found.producer ? `, made by ${found.producer}` : ""}`],
    ...found.inputs.map((i): [string, string] => {
      const same = i.dims.join() === i.taken.join();
      return ["input", `${i.name} ${formatDims(i.dims)}${same ? "" : `, taken as ${formatDims(i.taken)}`}`];
    }),
    ...found.outputs.map((o): [string, string] => ["output", `${o.name} ${formatDims(o.dims ?? undefined)}`]),
    ["operators", operators],
    ["MACs", found.macs === null ? "unknown: not all shapes are" : describeMacs(found.macs, found.prunableMacs)],
    ["parameters", formatCount(found.parameters)],
    [
      "groups",
      `${plural(free.length, "group")} to choose in, ${sumChannels(free)} channels; ${frozen.length} frozen, ${sumChannels(frozen)} channels`,
    ],
  ];
  const lines = head.map(
    ([label, value]) => styles.dim(label.padEnd(12)) + wrap(printable(value), width, " ".repeat(12)).trimStart(),
  );
  for (const group of [...free, ...frozen]) lines.push("", ...renderGroup(group, width, styles, all));
  if (found.unknown.length > 0) {
    const title = `${plural(found.unknown.length, "node")} that halp does not know; what they touch is frozen`;
    lines.push("", styles.bold(title), ...renderUnknown(found.unknown, width, all));
  }
  return lines.join("\n");
}

function describeMacs(all: number, prunable: number | null): string {
  const share =
    prunable === null || all === 0 ? "" : `, ${formatPercent(prunable / all)} of them on channels that may go`;
  return formatCount(all) + share;
}

/** By operator, and with `all` by node. */
function renderUnknown(unknown: Inspection["unknown"], width: number, all: boolean): string[] {
  if (all) return unknown.map((node) => wrap(printable(`${named(node)}: ${node.reason}`), width, "  "));
  const byType = new Map<string, (typeof unknown)[number][]>();
  for (const node of unknown) byType.set(node.opType, [...(byType.get(node.opType) ?? []), node]);
  return [...byType].map(([opType, nodes]) => {
    const more = nodes.length > 1 ? ` and ${nodes.length - 1} more (--all lists them)` : "";
    return wrap(printable(`${opType}: ${nodes[0]!.name}${more}`), width, "  ");
  });
}

function renderGroup(group: InspectedGroup, width: number, styles: Styles, all: boolean): string[] {
  const branches: string[] = [];
  if (group.producers.length > 0) branches.push(`made by ${listed(group.producers, all)}`);
  if (group.consumers.length > 0) branches.push(`read by ${listed(group.consumers, all)}`);
  branches.push(
    group.frozen !== null
      ? `frozen: ${group.frozen}`
      : `may keep ${group.options.map((k) => (k === 0 ? "none" : k)).join(", ")}`,
  );
  const title = `${truncate(printable(group.name), Math.max(20, width - 20))}`;
  return [
    `${group.frozen === null ? styles.bold(title) : title}  ${styles.dim(plural(group.channels, "channel"))}`,
    ...branches.flatMap((branch, i) => {
      const isLast = i === branches.length - 1;
      const [first = "", ...rest] = wrap(printable(branch), width, "   ").split("\n");
      const text = (line: string) => (isLast && group.frozen !== null ? styles.yellow(line) : line);
      return [
        `${isLast ? "└─" : "├─"} ${text(first.trimStart())}`,
        ...rest.map((line) => `${isLast ? " " : "│"}  ${text(line.trimStart())}`),
      ];
    }),
  ];
}

const listedAtMost = 6;

function listed(nodes: readonly InspectedNode[], all: boolean): string {
  const shown = all ? nodes : nodes.slice(0, listedAtMost);
  const more = nodes.length - shown.length;
  return shown.map(named).join(", ") + (more > 0 ? ` and ${more} more (--all lists them)` : "");
}

/** `Conv layer1.conv1`; a name that repeats the operator's is given alone. */
function named(node: InspectedNode): string {
  return node.name.includes(node.opType) ? node.name : `${node.opType} ${node.name}`;
}

function sumChannels(groups: readonly InspectedGroup[]): number {
  return groups.reduce((sum, g) => sum + g.channels, 0);
}
