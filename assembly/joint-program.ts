// A walk over a factor graph of one- and two-variable tables, as the host planned it (src/solver/joint/plan.ts), over all or
// some of each variable's options. Step k introduces a variable; the frontier before it is what was introduced and still has
// neighbours to come. Combinations of the frontier's options are numbered with its last variable running fastest: a
// combination's slot pads that last variable to whole SIMD rows, so that a row of slots lines up with a row of a table.
import { allocate, getF, getI, heapStart, release, setF, setI, top } from "./memory";

/** How many potentials (at as many multipliers) guide the labels. */
export const guideCount: i32 = 8;
const mostWidth: i32 = 32;

@unmanaged
export class Step {
  /** The variable's number in the problem, for ties. */
  variable: i32;
  options: i32;
  /** Length of a table row: options, padded. Padding has value -Infinity and weight 0. */
  stride: i32;
  states: i32;
  slots: i32;
  /** 1 if the variable joins the frontier. */
  joins: i32;
  edges: i32;
  /** i32[options]: numbers in the full program; 0 in the full program itself. */
  domain: usize;
  value: usize;
  weight: usize;
  price: usize;
  /** Edge[edges] */
  edge: usize;
  /** i32[states]: slot of a combination; slot that follows when option 0 is taken. */
  slotOf: usize;
  next: usize;
  /** i32[slots]: combination at a slot. */
  stateOf: usize;
  /** f64[slots] for each guide (the full program has one): the best objective from this step on. */
  potential: usize;
  /** For each guide, of the choice behind each potential: f64[slots] value and weight, i32[slots] option. */
  wholeValue: usize;
  wholeWeight: usize;
  taken: usize;
}

@unmanaged
export class Edge {
  /** The step of the earlier variable, and its position in the frontier. */
  from: i32;
  position: i32;
  rows: i32;
  value: usize;
  weight: usize;
  price: usize;
  /** i32[states]: the earlier variable's option in a combination. */
  row: usize;
}

export let stepCount: i32 = 0;
/** Step[stepCount + 1]; the last stands for the end: one slot, potential 0. */
export let full: usize = 0;
export let reduced: usize = 0;
/** i32: see writeJoint in src/solver/wasm/joint-core.ts. */
export let structure: usize = 0;
/** f64: value and weight tables, rows padded. */
export let tables: usize = 0;
/** The end of what is prepared. */
export let jointEnd: usize = 0;

@inline
export function stepOf(program: usize, k: i32): Step {
  return changetype<Step>(program + <usize>k * offsetof<Step>());
}
@inline
export function edgeOf(step: Step, e: i32): Edge {
  return changetype<Edge>(step.edge + <usize>e * offsetof<Edge>());
}
/** The potential of guide g at a step. */
@inline
export function potentialOf(step: Step, g: i32): usize {
  return step.potential + (<usize>(g * step.slots) << 3);
}
@inline
export function padded(n: i32): i32 {
  return (n + 3) & ~3;
}

/** Lays out memory for a plan; the host then writes structure and tables and calls jointPrepare(). */
export function jointLayout(structureLength: i32, tableLength: i32): bool {
  release(heapStart());
  structure = allocate(<usize>structureLength << 2);
  tables = allocate(<usize>tableLength << 3);
  return structure != 0 && tables != 0;
}

// The structure: stepCount, then for each step the index of its record, then the records:
// variable, options, joins, edges, own table, stays, positions that stay..., then per edge: from, position, rows, table.
// A table's weights follow its values.
@inline
function record(k: i32): usize {
  return structure + (<usize>getI(structure, 1 + k) << 2);
}

/**
 * Builds a program over the given options. Null options: all, with padded rows and one potential; else i32 lists (counts and
 * addresses by step), with plain rows and guideCount potentials. False if memory runs out.
 */
function build(program: usize, counts: usize, lists: usize): bool {
  const all = counts == 0;
  const guides = all ? 1 : guideCount;
  const frontier = memory.data(32 * 4);
  const sizes = memory.data(32 * 4);
  const digits = memory.data(32 * 4);
  let width = 0;
  for (let k = 0; k < stepCount; k++) {
    const r = record(k);
    const step = stepOf(program, k);
    const fullOptions = getI(r, 1);
    const fullStride = padded(fullOptions);
    const n = all ? fullOptions : getI(counts, k);
    step.variable = getI(r, 0);
    step.options = n;
    step.stride = all ? fullStride : n;
    step.joins = getI(r, 2);
    step.edges = getI(r, 3);
    const stays = getI(r, 5);
    const stay = r + 24;
    const edgeRecords = stay + (<usize>stays << 2);
    let states = 1;
    for (let f = 0; f < width; f++) {
      const s = stepOf(program, getI(frontier, f)).options;
      setI(sizes, f, s);
      states *= s;
    }
    step.states = states;
    step.slots = width == 0 ? 1 : all ? (states / getI(sizes, width - 1)) * padded(getI(sizes, width - 1)) : states;
    step.slotOf = allocate(<usize>states << 2);
    step.next = allocate(<usize>states << 2);
    step.stateOf = allocate(<usize>step.slots << 2);
    step.price = allocate(<usize>step.stride << 3);
    step.edge = allocate(<usize>step.edges * offsetof<Edge>() + 16);
    step.potential = allocate(<usize>(step.slots * guides) << 3);
    if (step.slotOf == 0 || step.next == 0 || step.stateOf == 0 || step.price == 0 || step.edge == 0 || step.potential == 0)
      return false;
    for (let i = 0; i < step.slots * guides; i++) setF(step.potential, i, -Infinity);
    const own = tables + (<usize>getI(r, 4) << 3);
    if (all) {
      step.domain = 0;
      step.value = own;
      step.weight = own + (<usize>fullStride << 3);
    } else {
      step.domain = <usize>getI(lists, k);
      step.value = allocate(<usize>n << 3);
      step.weight = allocate(<usize>n << 3);
      step.wholeValue = allocate(<usize>(step.slots * guides) << 3);
      step.wholeWeight = allocate(<usize>(step.slots * guides) << 3);
      step.taken = allocate(<usize>(step.slots * guides) << 2);
      if (step.value == 0 || step.weight == 0 || step.wholeValue == 0 || step.wholeWeight == 0 || step.taken == 0) return false;
      for (let x = 0; x < n; x++) {
        setF(step.value, x, getF(own, getI(step.domain, x)));
        setF(step.weight, x, getF(own, fullStride + getI(step.domain, x)));
      }
    }
    for (let e = 0; e < step.edges; e++) {
      const er = edgeRecords + (<usize>(e * 4) << 2);
      const edge = edgeOf(step, e);
      edge.from = getI(er, 0);
      edge.position = getI(er, 1);
      const fullRows = getI(er, 2);
      const table = tables + (<usize>getI(er, 3) << 3);
      const tableWeight = table + (<usize>(fullRows * fullStride) << 3);
      edge.row = allocate(<usize>states << 2);
      const earlier = stepOf(program, edge.from);
      edge.rows = earlier.options;
      const size = edge.rows * step.stride;
      edge.price = allocate(<usize>size << 3);
      if (edge.row == 0 || edge.price == 0) return false;
      if (all) {
        edge.value = table;
        edge.weight = tableWeight;
      } else {
        edge.value = allocate(<usize>size << 3);
        edge.weight = allocate(<usize>size << 3);
        if (edge.value == 0 || edge.weight == 0) return false;
        for (let i = 0, o = 0; i < edge.rows; i++) {
          const from = getI(earlier.domain, i) * fullStride;
          for (let x = 0; x < n; x++, o++) {
            setF(edge.value, o, getF(table, from + getI(step.domain, x)));
            setF(edge.weight, o, getF(tableWeight, from + getI(step.domain, x)));
          }
        }
      }
    }
    // number the combinations
    for (let f = 0; f < width; f++) setI(digits, f, 0);
    for (let i = 0; i < step.slots; i++) setI(step.stateOf, i, -1);
    for (let s = 0; s < states; s++) {
      let slot = 0;
      for (let f = 0; f < width; f++) {
        const size = getI(sizes, f);
        slot = slot * (all && f == width - 1 ? padded(size) : size) + getI(digits, f);
      }
      setI(step.slotOf, s, slot);
      setI(step.stateOf, slot, s);
      let to = 0;
      for (let i = 0; i < stays; i++) {
        const f = getI(stay, i);
        const size = getI(sizes, f);
        to = to * (all && i == stays - 1 && !step.joins ? padded(size) : size) + getI(digits, f);
      }
      setI(step.next, s, step.joins ? to * step.stride : to);
      for (let e = 0; e < step.edges; e++) {
        const edge = edgeOf(step, e);
        setI(edge.row, s, getI(digits, edge.position));
      }
      for (let f = width - 1; f >= 0; f--) {
        const d = getI(digits, f) + 1;
        if (d < getI(sizes, f)) {
          setI(digits, f, d);
          break;
        }
        setI(digits, f, 0);
      }
    }
    let w = 0;
    for (let i = 0; i < stays; i++) setI(frontier, w++, getI(frontier, getI(stay, i)));
    if (step.joins) setI(frontier, w++, k);
    width = w;
  }
  const end = stepOf(program, stepCount);
  end.slots = 1;
  end.states = 1;
  end.potential = allocate(8 * guideCount);
  end.wholeValue = allocate(8 * guideCount);
  end.wholeWeight = allocate(8 * guideCount);
  if (end.potential == 0 || end.wholeValue == 0 || end.wholeWeight == 0) return false;
  memory.fill(end.potential, 0, 8 * guideCount);
  memory.fill(end.wholeValue, 0, 8 * guideCount);
  memory.fill(end.wholeWeight, 0, 8 * guideCount);
  return true;
}

/** Builds the program over all options. False if memory runs out. */
export function jointBuild(): bool {
  stepCount = getI(structure, 0);
  const bytes = <usize>(stepCount + 1) * offsetof<Step>();
  full = allocate(bytes);
  reduced = allocate(bytes);
  if (full == 0 || reduced == 0) return false;
  const done = build(full, 0, 0);
  jointEnd = top;
  return done;
}

/** Builds the program over some options: counts and addresses of i32 lists, by step. False if memory runs out. */
export function buildReduced(counts: usize, lists: usize): bool {
  return build(reduced, counts, lists);
}
