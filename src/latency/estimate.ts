/**
 * Latencies between those that a table holds, for tables that nothing can be added to here: measured on another device,
 * or imported. An estimate rests on layers of the same kind that differ in numbers of channels alone. Between two of them
 * it is linear; where a layer depends on two numbers or more and only each by itself was measured,
 * latency(a, b) = latency(a, B) * latency(A, b) / latency(A, B), which holds for work that is proportional to both, or the
 * sum of the differences where the layer only moves data. Beyond what was measured nothing is estimated, but that a layer
 * which only moves data takes no longer than where it moves more.
 */
import { type ConfigAttribute, type LayerConfig, layerKey, layoutDomain } from "./config.js";
import { countedAs } from "./convolution.js";
import type { OwnTable } from "./measure.js";
import type { TableEntry } from "./table.js";

/** Layers that differ in channels alone. */
interface Family {
  readonly points: Point[];
  /** Whether work is proportional to the product of the widths. */
  readonly multiplies: boolean;
}

interface Point {
  /** All numbers that may depend on channels, in the order of the configuration. */
  readonly widths: readonly number[];
  readonly entry: TableEntry;
}

const multiplying = new Set(["Conv", "ConvTranspose", "Gemm", "MatMul"]);

/** What a table can tell of layers that it does not hold. */
export class Estimator {
  readonly #table: OwnTable;
  readonly #families = new Map<string, Family>();
  /** The same, whatever the layouts: what is known of a layer in one helps where it meets another. */
  readonly #anyLayout = new Map<string, Family>();

  constructor(table: OwnTable) {
    this.#table = table;
    for (const entry of table.entries.values()) {
      if (entry.estimated) continue;
      add(this.#families, familyOf(entry.config), entry);
      if (changesNoLayout(entry.config)) add(this.#anyLayout, familyOf(inPlain(entry.config)), entry);
    }
  }

  /**
   * Puts estimates of layers that are missing into the table, marked as such.
   * @returns keys of those that it knows too little of
   */
  fill(configs: Iterable<LayerConfig>): string[] {
    const unknown = new Set<string>();
    for (const config of configs) {
      const counted = countedAs(this.#table.device, config);
      if (!counted) continue;
      const key = layerKey(counted);
      if (this.#table.entries.has(key)) continue;
      const entry = this.#estimate(counted);
      if (entry) this.#table.entries.set(key, entry);
      else unknown.add(key);
    }
    return [...unknown];
  }

  /**
   * A latency that the layer is unlikely to exceed: the least of those, in any layout, that are at least as wide in all. Too
   * rough to predict with; undefined where there is none.
   */
  bound(config: LayerConfig): number | undefined {
    const counted = countedAs(this.#table.device, config);
    if (!counted) return 0;
    const { widths } = familyOf(counted);
    const { points = [] } =
      (changesNoLayout(counted) ? this.#anyLayout.get(familyOf(inPlain(counted)).name) : undefined) ??
      this.#families.get(familyOf(counted).name) ??
      {};
    const wider = points.filter((p) => p.widths.every((v, i) => v >= (widths[i] ?? 0)));
    return wider.length > 0 ? Math.min(...wider.map((p) => p.entry.ns)) : undefined;
  }

  /**
   * The step between the numbers of channels that the table holds: the commonest from one to the next. 1 where it holds no
   * kind of layer at three numbers or more.
   */
  grid(): number {
    const votes = new Map<number, number>();
    for (const { points } of this.#families.values())
      for (const axis of coordinatesOf(points, points[0]?.widths ?? [])) {
        const values = [...new Set(points.map((p) => p.widths[axis] ?? 0))].sort((a, b) => a - b);
        if (values.length < 3) continue;
        for (const [i, v] of values.slice(1).entries()) {
          const step = v - (values[i] ?? 0);
          votes.set(step, (votes.get(step) ?? 0) + 1);
        }
      }
    return [...votes].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0]?.[0] ?? 1;
  }

  #estimate(config: LayerConfig): TableEntry | undefined {
    const { name, widths } = familyOf(config);
    const own = this.#families.get(name);
    const known = own && estimateIn(own, widths);
    if (known !== undefined || !changesNoLayout(config)) return known && entryOf(config, known);
    const any = this.#anyLayout.get(familyOf(inPlain(config)).name);
    const guess = any && estimateIn(any, widths, name);
    return guess && entryOf(config, guess);
  }
}

interface Estimate {
  readonly ns: number;
  /** A layer of the same kind. */
  readonly like: TableEntry;
}

/** @param preferred family whose entries count where others have the same widths */
function estimateIn(family: Family, widths: readonly number[], preferred?: string): Estimate | undefined {
  const axes = coordinatesOf(family.points, widths);
  const measured = new Map<string, { at: number[]; ns: number }>();
  for (const p of family.points) {
    const at = axes.map((a) => p.widths[a] ?? 0);
    const key = at.join();
    if (!measured.has(key) || familyOf(p.entry.config).name === preferred) measured.set(key, { at, ns: p.entry.ns });
  }
  const target = axes.map((a) => widths[a] ?? 0);
  const ns = estimateAt(target, measured, family.multiplies);
  const [first] = family.points;
  return ns === undefined || !first ? undefined : { ns, like: first.entry };
}

function entryOf(config: LayerConfig, { ns, like }: Estimate): TableEntry {
  const { kernels, layoutAsExpected, leftOut } = like;
  const rounded = Math.round(ns);
  return {
    config,
    ns: rounded,
    samples: { min: rounded, q1: rounded, median: rounded, q3: rounded, count: 0 },
    kernels,
    layoutAsExpected,
    estimated: true,
    ...(leftOut ? { leftOut } : {}),
  };
}

function add(families: Map<string, Family>, { name, widths }: ReturnType<typeof familyOf>, entry: TableEntry): void {
  const family = families.get(name) ?? { points: [], multiplies: multiplies(entry.config) };
  family.points.push({ widths, entry });
  families.set(name, family);
}

function changesNoLayout(config: LayerConfig): boolean {
  return config.nodes.every((n) => n.domain !== layoutDomain);
}

function inPlain(config: LayerConfig): LayerConfig {
  return {
    ...config,
    inputs: config.inputs.map((i) => ({ ...i, layout: "plain" })),
    results: config.results.map((r) => ({ ...r, layout: "plain" })),
  };
}

type Measured = ReadonlyMap<string, { readonly at: readonly number[]; readonly ns: number }>;

/** @param measured by the coordinates' text */
export function estimateAt(target: readonly number[], measured: Measured, product: boolean): number | undefined {
  const exact = measured.get(target.join())?.ns;
  if (exact !== undefined) return exact;
  // Along one coordinate, the others as they are: nothing but measurements is used.
  const lines = target.map((_, j) => alongLine(target, j, measured)).filter((ns) => ns !== undefined);
  if (lines.length > 0) return Math.exp(lines.reduce((s, ns) => s + Math.log(Math.max(ns, 1)), 0) / lines.length);
  if (target.length < 2 && product) return undefined;
  // From the nearest layer, step by step along each; those that are wider in all come first.
  const distance = (at: readonly number[]): number =>
    at.reduce((s, v, j) => s + Math.abs(Math.log(Math.max(1, v) / Math.max(1, target[j] ?? 1))), 0);
  const isWider = (at: readonly number[]): boolean => at.every((v, j) => v >= (target[j] ?? 0));
  const bases = [...measured.values()]
    .filter(({ ns }) => ns > 0)
    .sort((a, b) => Number(isWider(b.at)) - Number(isWider(a.at)) || distance(a.at) - distance(b.at));
  for (const base of bases) {
    const steps = target.map((v, j) => alongLine(base.at.with(j, v), j, measured));
    if (steps.some((ns) => ns === undefined)) continue;
    const known = steps as number[];
    return product
      ? known.reduce((ns, step) => (ns * step) / base.ns, base.ns)
      : Math.max(
          0,
          known.reduce((ns, step) => ns + step - base.ns, base.ns),
        );
  }
  // What only moves data takes no longer than where it moves more.
  const wider = product ? [] : bases.filter((b) => isWider(b.at)).map((b) => b.ns);
  return wider.length > 0 ? Math.min(...wider) : undefined;
}

/** At a point, from measured ones that differ from it in coordinate j only; linear between the two around it. */
function alongLine(target: readonly number[], j: number, measured: Measured): number | undefined {
  const exact = measured.get(target.join());
  if (exact) return exact.ns;
  const at = target[j] ?? 0;
  let below: { readonly x: number; readonly ns: number } | undefined;
  let above: typeof below;
  for (const point of measured.values()) {
    if (point.at.some((v, i) => i !== j && v !== target[i])) continue;
    const x = point.at[j] ?? 0;
    if (x < at && (!below || x > below.x)) below = { x, ns: point.ns };
    if (x > at && (!above || x < above.x)) above = { x, ns: point.ns };
  }
  if (!below || !above) return undefined;
  return below.ns + ((above.ns - below.ns) * (at - below.x)) / (above.x - below.x);
}

/** Positions of the numbers that vary, one of those that vary together (one a linear function of the other). */
function coordinatesOf(points: readonly Point[], target: readonly number[]): number[] {
  const rows = [...points.map((p) => p.widths), target];
  const column = (a: number): number[] => rows.map((r) => r[a] ?? 0);
  const axes: { axis: number; values: number[] }[] = [];
  target.forEach((_, axis) => {
    const values = column(axis);
    if (values.every((v) => v === values[0])) return;
    if (!axes.some((known) => isLinear(known.values, values))) axes.push({ axis, values });
  });
  return axes.map((a) => a.axis);
}

/** Whether y = a + b * x for all pairs. */
function isLinear(x: readonly number[], y: readonly number[]): boolean {
  const [x0 = 0] = x;
  const [y0 = 0] = y;
  const i = x.findIndex((v) => v !== x0);
  const slope = ((y[i] ?? 0) - y0) / ((x[i] ?? 0) - x0);
  return x.every((v, k) => Math.abs((y[k] ?? 0) - y0 - slope * (v - x0)) < 1e-6);
}

function multiplies(config: LayerConfig): boolean {
  return config.nodes.some((n) => multiplying.has(n.opType));
}

/** The configuration with all that depends on channels taken out, and what was taken out. */
export function familyOf(config: LayerConfig): { name: string; widths: number[] } {
  const widths: number[] = [];
  const take = (v: number): number => {
    widths.push(v);
    return 0;
  };
  const key = layerKey({
    ...config,
    inputs: config.inputs.map((i) => {
      const channel = i.dims.length === 4 ? [1] : [1, i.dims.length - 1];
      return { ...i, dims: i.dims.map((d, axis) => (axis > 0 && channel.includes(axis) ? take(d) : d)) };
    }),
    constants: config.constants.map((c) => {
      const integral = c.values !== undefined && c.dtype !== "float32";
      return {
        ...c,
        dims: c.dims.map((d, axis) => (axis < 2 || c.dims.length < 3 ? take(d) : d)),
        ...(integral ? { values: c.values.map(take) } : {}),
      };
    }),
    nodes: config.nodes.map((n) => ({
      ...n,
      attributes: Object.fromEntries(
        Object.entries(n.attributes).map(([key, a]): [string, ConfigAttribute] => {
          if (key === "group" && a[0] === "int") return [key, ["int", take(Number(a[1]))]];
          if (key === "split" && a[0] === "ints") return [key, ["ints", a[1].map((v) => take(Number(v)))]];
          return [key, a];
        }),
      ),
    })),
  });
  return { name: `${connectionOf(config)} ${key}`, widths };
}

/** Dense and depthwise convolutions are different kinds of layers, whatever their numbers are. */
function connectionOf(config: LayerConfig): string {
  const conv = config.nodes.find((n) => n.opType === "Conv" || n.opType === "ConvTranspose");
  if (!conv || Number(conv.attributes.group?.[1] ?? 1) === 1) return "dense";
  return `per ${config.constants[Number(conv.inputs[1]?.slice(1))]?.dims[1]}`;
}
