/**
 * Which multiples of channels are cheap on a device, read off its measured staircase; never assumed. A reference
 * convolution is measured over its output channels and over its input channels.
 */
import { type LayerConfig, type Layout, layoutDomain } from "./config.js";
import { type MeasureMissingOptions, measureMissing, type OwnTable } from "./measure.js";
import { type LatencyTable, lookup, missingKeys } from "./table.js";
import { channelAlignment, type RuntimeTraits } from "./traits.js";

export interface Alignment {
  /**
   * Latency as a function of output channels is a staircase with steps of this many: all widths between two multiples
   * cost what the upper one costs. 1 where there is no such step.
   */
  readonly outputs: number;
  /** Input channels that are no multiple of this cost more than the next multiple that is. 1 where none does. */
  readonly inputs: number;
  /** A multiple of both, and so the grid to offer widths on. */
  readonly grid: number;
  readonly widths: readonly number[];
  /** Nanoseconds over output channels, as many as widths; input channels at `fixed`. */
  readonly outputNs: readonly number[];
  /** Nanoseconds over input channels, changes of layout included; output channels at `fixed`. */
  readonly inputNs: readonly number[];
}

const fixed = 64;
const from = 34;
const to = 96;
const size = 28;
/** What still counts as the same latency. */
const tolerance = 0.06;
/** Part of a proportional saving that still counts as none. */
const flat = 0.25;
const candidates = [32, 16, 8, 4];

/** The layers that an alignment is read off: a convolution over its outputs, and one over its inputs. */
function probesOf(table: LatencyTable) {
  const widths = Array.from({ length: (to - from) / 2 + 1 }, (_, i) => from + 2 * i);
  const { traits } = table.device;
  const byOutput = widths.map((w) => convConfigs(fixed, w, traits));
  const byInput = widths.map((w) => convConfigs(w, fixed, traits));
  return { widths, byOutput, byInput, configs: [...byOutput, ...byInput].flat() };
}

/**
 * Measures what the table lacks for it, about a second of work.
 * @returns with `configs`, the layers that it is read off: a table that holds them tells it anywhere.
 * @throws HalpError as measureMissing
 */
export async function probeAlignment(
  table: OwnTable,
  options: MeasureMissingOptions = {},
): Promise<Alignment & { readonly configs: readonly LayerConfig[] }> {
  const { configs } = probesOf(table);
  await measureMissing(table, configs, options);
  return { ...(readAlignment(table) as Alignment), configs };
}

/** The alignment of a table's device; undefined where the table lacks the layers to read it off. */
export function readAlignment(table: LatencyTable): Alignment | undefined {
  const { widths, byOutput, byInput, configs } = probesOf(table);
  if (missingKeys(table, configs).length > 0) return undefined;
  const ns = (layers: readonly LayerConfig[]): number => layers.reduce((sum, c) => sum + lookup(table, c), 0);
  return alignmentOf(widths, byOutput.map(ns), byInput.map(ns));
}

/** @param widths ascending, even, with at least two multiples of each candidate among them */
export function alignmentOf(
  widths: readonly number[],
  outputNs: readonly number[],
  inputNs: readonly number[],
): Alignment {
  const outputs = candidates.find((m) => isStaircase(widths, outputNs, m)) ?? 1;
  const inputs = [1, 2, 4, 8, 16, 32].find((m) => isEnvelope(widths, inputNs, m)) ?? 1;
  return { outputs, inputs, grid: leastCommonMultiple(outputs, inputs), widths, outputNs, inputNs };
}

/** Flat up to each multiple of m: of what a proportional latency would save below the multiples, hardly any is saved. */
function isStaircase(widths: readonly number[], ns: readonly number[], m: number): boolean {
  const at = new Map(widths.map((w, i) => [w, ns[i] ?? Number.NaN]));
  let saved = 0;
  let proportional = 0;
  for (const [w, t] of at) {
    const multiple = Math.ceil(w / m) * m;
    const top = at.get(multiple);
    if (w === multiple || top === undefined) continue;
    saved += Math.max(0, top - t);
    proportional += top * (1 - w / multiple);
  }
  return proportional > 0 && saved < flat * proportional;
}

/** No multiple of m is dearer than a greater multiple of m (but for the tolerance), in nine cases of ten. */
function isEnvelope(widths: readonly number[], ns: readonly number[], m: number): boolean {
  let good = 0;
  let count = 0;
  let floor = Number.POSITIVE_INFINITY;
  for (let i = widths.length - 1; i >= 0; i--) {
    const t = ns[i] ?? Number.NaN;
    if ((widths[i] ?? 0) % m === 0) {
      if (Number.isFinite(floor)) {
        count++;
        if (t <= (1 + tolerance) * floor) good++;
      }
    }
    floor = Math.min(floor, t);
  }
  return count === 0 || good >= 0.9 * count;
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a * b) / x;
}

/** A 3x3 convolution with activation between others of its kind; and the change of layout that it asks for. */
function convConfigs(inputs: number, outputs: number, traits: RuntimeTraits): readonly LayerConfig[] {
  const blocks = traits.blockSize > 1;
  const taken = blocks && inputs % channelAlignment === 0;
  const layout: Layout = taken ? "blocked" : "plain";
  const dims = [1, inputs, size, size];
  const conv: LayerConfig = {
    opset: 13,
    inputs: [{ dtype: "float32", dims, layout }],
    constants: [
      { dtype: "float32", dims: [outputs, inputs, 3, 3] },
      { dtype: "float32", dims: [outputs] },
    ],
    nodes: [
      {
        opType: "Conv",
        domain: "",
        attributes: { pads: ["ints", [1, 1, 1, 1]] },
        inputs: ["i0", "c0", "c1"],
        outputs: 1,
      },
      { opType: "Relu", domain: "", attributes: {}, inputs: ["n0"], outputs: 1 },
    ],
    results: [{ value: "n1", layout }],
  };
  if (!blocks || taken) return [conv];
  const unpack: LayerConfig = {
    opset: 0,
    inputs: [{ dtype: "float32", dims, layout: "blocked" }],
    constants: [],
    nodes: [{ opType: "ReorderOutput", domain: layoutDomain, attributes: {}, inputs: ["i0"], outputs: 1 }],
    results: [{ value: "n0", layout: "plain" }],
  };
  return [conv, unpack];
}
