import type { Model, PairTable } from "../model.js";

/**
 * The table between a variable and an earlier one, row-major over the earlier one's options. A forbidden pair has value
 * -Infinity and weight 0.
 */
export interface PlanEdge {
  /** The step that introduced the earlier variable, and its position in the frontier. */
  readonly from: number;
  readonly position: number;
  readonly value: Float64Array;
  readonly weight: Float64Array;
}

/**
 * One step of the walk over the factor graph: a variable is introduced; those with no neighbour left to come are dropped.
 * The frontier is what has been introduced and not dropped, in order of introduction.
 */
export interface PlanStep {
  readonly variable: number;
  /** The options that are not forbidden, and what each is worth and weighs. */
  readonly options: Int32Array;
  readonly value: Float64Array;
  readonly weight: Float64Array;
  readonly edges: readonly PlanEdge[];
  /** Positions of the frontier before this step that stay. */
  readonly stay: readonly number[];
  /** Whether the new variable joins the frontier, at its end. */
  readonly joins: boolean;
}

/** A walk over all variables of a problem with two-variable factors. */
export interface Plan {
  readonly steps: readonly PlanStep[];
  /** The largest number of variables in the frontier. */
  readonly width: number;
  /** The largest number of combinations looked at in one step; table entries added up in all. */
  readonly largestStep: number;
  readonly totalWork: number;
  /**
   * Pair tables given up to keep frontiers small: each became a table over its later variable alone, of the least weight and
   * the greatest value that any option of the earlier one offers. With any severed, the plan is a relaxation: no choice is
   * worth more than its optimum.
   */
  readonly severed: number;
}

/** More combinations in one step, or table entries in all, are too many: then pair tables are severed. */
const mostPerStep = 2 ** 22;
const mostInAll = 4e7;
const mostWidth = 24;

interface Order {
  readonly order: readonly number[];
  readonly work: number;
  /** What it took to find it. */
  readonly steps: number;
}

/** With more variables than this in the frontier tables will be severed anyway: any neighbour may come next. */
const mostWeighed = 2 * mostWidth;

/** Walks greedily from one variable: next comes whatever leaves the frontier with the fewest combinations. */
function walkFrom(
  start: number,
  sizes: readonly number[],
  neighbours: readonly ReadonlySet<number>[],
  fresh: readonly number[],
): Order {
  const count = sizes.length;
  let steps = 0;
  let freshAt = 0;
  const pending = neighbours.map((n) => n.size);
  const introduced = new Uint8Array(count);
  const frontier = new Set<number>();
  const order: number[] = [];
  let combinations = 1;
  let work = 0;
  let next = start;
  while (true) {
    work += combinations * sizes[next]!;
    introduced[next] = 1;
    order.push(next);
    frontier.add(next);
    for (const n of neighbours[next]!) pending[n]!--;
    for (const f of [next, ...neighbours[next]!]) if (introduced[f] && pending[f] === 0) frontier.delete(f);
    combinations = 1;
    for (const f of frontier) combinations *= sizes[f]!;
    if (order.length === count) return { order, work, steps };
    let best = Number.POSITIVE_INFINITY;
    const candidates = new Set<number>();
    for (const f of frontier) {
      for (const n of neighbours[f]!) {
        if (!introduced[n]) candidates.add(n);
        if (frontier.size > mostWeighed && candidates.size > 0) break;
      }
      if (frontier.size > mostWeighed && candidates.size > 0) break;
    }
    steps += frontier.size + candidates.size;
    if (candidates.size === 0) {
      // nothing is pending: another part of the graph
      while (introduced[fresh[freshAt]!]) freshAt++;
      next = fresh[freshAt]!;
      continue;
    }
    for (const c of candidates) {
      steps += neighbours[c]!.size;
      // the frontier after c, and a little for the step itself
      let after = pending[c] === 0 ? combinations : combinations * sizes[c]!;
      for (const f of neighbours[c]!) if (introduced[f] && pending[f] === 1) after /= sizes[f]!;
      const cost = after + combinations * sizes[c]! * 1e-3;
      if (cost < best || (cost === best && c < next)) {
        best = cost;
        next = c;
      }
    }
  }
}

/** Up to so many starting points are tried, and as many as take so many steps: counted, so that every machine finds the same. */
const starts = 64;
const mostSteps = 20_000_000;

function bestOrder(sizes: readonly number[], neighbours: readonly ReadonlySet<number>[]): readonly number[] {
  let best: Order | undefined;
  let steps = 0;
  // where nothing is pending, the cheapest start of another part comes first
  const cost = sizes.map((size, i) => (neighbours[i]!.size === 0 ? 1 : size) + size * 1e-3);
  const fresh = Array.from(sizes.keys()).sort((a, b) => cost[a]! - cost[b]! || a - b);
  const stride = Math.max(1, Math.ceil(sizes.length / starts));
  for (let s = 0; s < sizes.length && (best === undefined || steps < mostSteps); s += stride) {
    const order = walkFrom(s, sizes, neighbours, fresh);
    steps += order.steps + sizes.length;
    if (best === undefined || order.work < best.work) best = order;
  }
  return best!.order;
}

/** Keeps the rows and columns of a table that are allowed; orients it as earlier x later. */
function subTable(
  table: Float64Array,
  columns: number,
  rowsKept: Int32Array,
  columnsKept: Int32Array,
  turned: boolean,
): Float64Array {
  const out = new Float64Array(rowsKept.length * columnsKept.length);
  for (let i = 0; i < rowsKept.length; i++)
    for (let j = 0; j < columnsKept.length; j++) {
      const x = table[rowsKept[i]! * columns + columnsKept[j]!]!;
      out[turned ? j * rowsKept.length + i : i * columnsKept.length + j] = x;
    }
  return out;
}

/** The edge's best for each option of its later variable, whatever the earlier one takes. */
function bestOfRows({ value, weight }: PlanEdge, columns: number): { value: Float64Array; weight: Float64Array } {
  const best = new Float64Array(columns).fill(Number.NEGATIVE_INFINITY);
  const least = new Float64Array(columns).fill(Number.POSITIVE_INFINITY);
  for (let i = 0; i < value.length; i++) {
    if (value[i] === Number.NEGATIVE_INFINITY) continue;
    best[i % columns] = Math.max(best[i % columns]!, value[i]!);
    least[i % columns] = Math.min(least[i % columns]!, weight[i]!);
  }
  return { value: best, weight: least.map((w) => (w === Number.POSITIVE_INFINITY ? 0 : w)) };
}

/**
 * Finds an order of small frontiers and lays the tables out along it; severs pair tables where the frontiers would still be
 * too large. Null if some variable has every option forbidden.
 */
export function planJoint(model: Model): Plan | null {
  let plan = planWithin(model, mostPerStep);
  for (let most = mostPerStep / 16; plan !== null && plan.totalWork > mostInAll && most > 16; most /= 16)
    plan = planWithin(model, most);
  return plan;
}

function planWithin(model: Model, most: number): Plan | null {
  const count = model.names.length;
  const allowed = model.weights.map((w) => Int32Array.from(w.keys()).filter((i) => !Number.isNaN(w[i]!)));
  if (allowed.some((a) => a.length === 0)) return null;
  const neighbours = Array.from({ length: count }, () => new Set<number>());
  const pairsOf = Array.from({ length: count }, () => [] as PairTable[]);
  for (const pair of model.pairs) {
    neighbours[pair.a]!.add(pair.b);
    neighbours[pair.b]!.add(pair.a);
    pairsOf[pair.a]!.push(pair);
    pairsOf[pair.b]!.push(pair);
  }
  const sizes = allowed.map((a) => a.length);
  const order = bestOrder(sizes, neighbours);
  const stepOf = new Int32Array(count);
  for (let k = 0; k < count; k++) stepOf[order[k]!] = k;
  const pending = neighbours.map((n) => n.size);
  let frontier: number[] = [];
  let width = 0;
  let largestStep = 0;
  let totalWork = 0;
  let severed = 0;
  const steps = order.map((variable, k): PlanStep => {
    const options = allowed[variable]!;
    const pick = (table: Float64Array): Float64Array => Float64Array.from(options, (i) => table[i]!);
    const value = pick(model.values[variable]!);
    const weight = pick(model.weights[variable]!);
    const combinations = (): number => frontier.reduce((n, f) => n * sizes[f]!, options.length);
    while (frontier.length > 0 && (combinations() > most || frontier.length > mostWidth)) {
      // sever the frontier's variable of most options from all that is to come
      const largest = frontier.reduce((a, b) => (sizes[b]! > sizes[a]! ? b : a));
      frontier = frontier.filter((f) => f !== largest);
    }
    const edges = pairsOf[variable]!.flatMap((pair): PlanEdge[] => {
      const other = pair.a === variable ? pair.b : pair.a;
      if (stepOf[other]! > k) return [];
      const edge = edgeTo(other, pair);
      if (edge.position >= 0) return [edge];
      severed++;
      const best = bestOfRows(edge, options.length);
      for (let x = 0; x < options.length; x++) {
        value[x]! += best.value[x]!;
        weight[x]! += best.weight[x]!;
      }
      return [];
    });
    function edgeTo(other: number, pair: PairTable): PlanEdge {
      const cut = (table: Float64Array): Float64Array =>
        subTable(table, model.weights[pair.b]!.length, allowed[pair.a]!, allowed[pair.b]!, pair.a === variable);
      const weight = cut(pair.weight);
      const value = pair.value === null ? new Float64Array(weight.length) : cut(pair.value);
      for (let i = 0; i < weight.length; i++)
        if (Number.isNaN(weight[i]!)) {
          value[i] = Number.NEGATIVE_INFINITY;
          weight[i] = 0;
        }
      return { from: stepOf[other]!, position: frontier.indexOf(other), value, weight };
    }
    largestStep = Math.max(largestStep, combinations());
    totalWork += combinations() * (1 + edges.length);
    for (const n of neighbours[variable]!) pending[n]!--;
    const stay = frontier.flatMap((f, position) => (pending[f]! > 0 ? [position] : []));
    const joins = pending[variable]! > 0;
    frontier = [...stay.map((position) => frontier[position]!), ...(joins ? [variable] : [])];
    width = Math.max(width, frontier.length);
    return { variable, options, value, weight, edges, stay, joins };
  });
  return { steps, width, largestStep, totalWork, severed };
}
