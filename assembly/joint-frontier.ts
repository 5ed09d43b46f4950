// Every undominated point of a joint problem between some points of its hull's kind, a few segments at a time. In a segment,
// whose slope is a multiplier, the dual bounds every choice; lists of (weight, value) points grow along the plan, one for each
// frontier state, and what the potentials show to lose more than every segment's cut is dropped. The cut is a guess that the
// gaps between the points found confirm, as in frontier-tree.ts.
import {
  addLine, clearLines, failed, Hull, layoutLines, lineCount, lineFrom, lineSlope, lineValue, lineWeight, mayUse, measureGaps,
  outOfMemory, slackOf, startWork, typical, widenCuts,
} from "./frontier-work";
import {
  backward, guide, marginals, marginalsOf, rootPotential,
} from "./joint-potentials";
import { buildReduced, edgeOf, full, guideCount, potentialOf, reduced, stepCount, stepOf } from "./joint-program";
import { domainCounts, domainLists, roundingAt, solveStart } from "./joint-solve";
import { align, allocate, getF, getI, release, setF, setI, top } from "./memory";
import { copyPoint, firstFrom, pointBytes, setPoint, undominated, undominatedBytes, valueAt, weightAt } from "./points";

/** Hull segments done at a time: each needs a guide of the reduced program. The other guides have multipliers beyond. */
const mostSegments: i32 = 4;
const cornerBytes: usize = 24;
/** Points of all states as they are made: f64 weight, f64 value, i32 state. */
const rawBytes: usize = 24;

/**
 * f64[3 * (segments + 1)], from the host: weight and value of the corners between which points are wanted, by rising weight,
 * and the multiplier from each to the next, falling.
 */
export let jointCorners: usize = 0;
/** The points found, by rising weight: f64 weight, f64 value. */
export let jointPoints: usize = 0;
export let jointPointCount: i32 = 0;

/** The upper bound over the segments at work. */
let bounds: Hull = changetype<Hull>(0);
/** f64[mostSegments] each */
let roots: usize = 0;
let cuts: usize = 0;
let gaps: usize = 0;
/** f64[options of all steps] for each segment: what a choice with the option loses at least. */
let losses: usize = 0;
let optionCount: i32 = 0;
let slack: f64 = 0;
/** f64[guideCount]: the guides' multipliers, the segments' own first. */
let guideSlopes: usize = 0;
/** f64[guideCount] for each segment: what the bound of a point by a guide must reach, less the multiplier times its weight. */
let needs: usize = 0;
let typicalGap: f64 = 0;
/** i32[slots + 1] twice: where each state's points begin, as numbers of points from `current`. */
let starts: usize = 0;
let current: usize = 0;

/** Lays out memory for so many segments; the host then writes the corners. 0 if there is not enough. */
export function jointFrontierLayout(segments: i32): bool {
  release(solveStart);
  jointCorners = allocate(<usize>(segments + 1) * cornerBytes);
  const bytes = <usize>mostSegments << 3;
  const record = allocate(offsetof<Hull>());
  roots = allocate(bytes);
  cuts = allocate(bytes);
  gaps = allocate(bytes);
  const weights = allocate(bytes + 8);
  const values = allocate(bytes + 8);
  const slopes = allocate(bytes);
  optionCount = 0;
  for (let k = 0; k < stepCount; k++) optionCount += stepOf(full, k).options;
  losses = allocate(<usize>(optionCount * mostSegments) << 3);
  guideSlopes = allocate(8 * guideCount);
  needs = allocate(8 * guideCount * mostSegments);
  if (guideSlopes == 0 || needs == 0 || jointCorners == 0 || record == 0 || roots == 0 || cuts == 0 || gaps == 0 || weights == 0 || values == 0 || slopes == 0
    || losses == 0 || !layoutLines(mostSegments)) return false;
  bounds = changetype<Hull>(record);
  bounds.weight = weights;
  bounds.value = values;
  bounds.slope = slopes;
  typicalGap = 0;
  return true;
}

/** The dual at a segment's multiplier: its line, and what every option loses. */
function boundSegment(i: i32): void {
  const slope = getF(bounds.slope, i);
  backward(false, slope);
  marginals();
  const root = rootPotential();
  setF(roots, i, root);
  setF(bounds.value, i, root + slope * getF(bounds.weight, i));
  let o = optionCount * i;
  for (let k = 0; k < stepCount; k++) {
    const best = marginalsOf(k);
    const n = stepOf(full, k).options;
    for (let x = 0; x < n; x++) setF(losses, o++, root - getF(best, x));
  }
}

/** Keeps the options that lose no more than some segment's cut. */
function chooseOptions(segments: i32): void {
  let o = 0;
  for (let k = 0; k < stepCount; k++) {
    const n = stepOf(full, k).options;
    const list = <usize>getI(domainLists, k);
    let count = 0;
    for (let x = 0; x < n; x++, o++) {
      let kept = false;
      for (let i = 0; i < segments; i++) kept = kept || getF(losses, optionCount * i + o) <= getF(cuts, i) + slack;
      if (kept) setI(list, count++, x);
    }
    setI(domainCounts, k, count);
  }
}

/**
 * Sets the guides' multipliers, and what each asks for: a choice in segment i at budget B is wanted if it is worth the
 * segment's line less its cut, and a guide's bound for it, linear in B as well, is most above that at one of the ends.
 */
function setGuides(segments: i32): void {
  const steepest = getF(bounds.slope, 0);
  const flattest = getF(bounds.slope, segments - 1);
  let far: f64 = 0;
  for (let g = 0; g < guideCount; g++) {
    if (g < segments) setF(guideSlopes, g, getF(bounds.slope, g));
    else {
      // two by two: beyond the steepest, and beyond the flattest
      if (((g - segments) & 1) == 0) far = far == 0 ? 1.15 : far * far;
      setF(guideSlopes, g, ((g - segments) & 1) == 0 ? steepest * far : flattest / far);
    }
  }
  for (let i = 0; i < segments; i++) {
    const s = getF(bounds.slope, i);
    const w0 = getF(bounds.weight, i);
    for (let g = 0; g < guideCount; g++) {
      const l = getF(guideSlopes, g);
      const w = l > s ? getF(bounds.weight, i + 1) : w0;
      setF(needs, guideCount * i + g, getF(bounds.value, i) + s * (w - w0) - getF(cuts, i) - slack - l * w);
    }
  }
}

/** Drops points of a state, in place, that some guide rules out for every segment; gives how many are left. */
function rule(list: usize, count: i32, k: i32, s: i32, segments: i32): i32 {
  const step = stepOf(reduced, k);
  const end = list + <usize>count * pointBytes;
  let out = list;
  for (let p = list; p < end; p += pointBytes) {
    const w = weightAt(p);
    const v = valueAt(p);
    let wanted = false;
    for (let i = 0; i < segments && !wanted; i++) {
      wanted = true;
      for (let g = 0; g < guideCount && wanted; g++)
        wanted = v + getF(potentialOf(step, g), s) - getF(guideSlopes, g) * w >= getF(needs, guideCount * i + g);
    }
    copyPoint(out, p);
    out += wanted ? pointBytes : 0;
  }
  return <i32>((out - list) / pointBytes);
}

/** The points of a state's list that stay with an option's (dw, dv) on top, as raw points of state t from `out`; gives the end. */
function shift(from: usize, end: usize, dw: f64, dv: f64, t: i32, out: usize): usize {
  let line = 0;
  for (let p = from; p < end; p += pointBytes) {
    const w = weightAt(p);
    const v = valueAt(p);
    while (w >= getF(lineFrom, line + 1)) line++;
    setPoint(out, w + dw, v + dv);
    store<i32>(out, t, 16);
    out += v >= getF(lineValue, line) + getF(lineSlope, line) * (w - getF(lineWeight, line)) ? rawBytes : 0;
  }
  return out;
}

/** One step of the plan: every point with every option. False where `failed`. */
function extend(k: i32, segments: i32): bool {
  const step = stepOf(reduced, k);
  const later = stepOf(reduced, k + 1);
  const points = getI(starts, step.slots);
  const raw = align(current + <usize>points * pointBytes);
  let end = raw;
  for (let s = 0; s < step.slots; s++) {
    const from = current + <usize>getI(starts, s) * pointBytes;
    const to = current + <usize>getI(starts, s + 1) * pointBytes;
    if (from == to) continue;
    const next = getI(step.next, s);
    for (let x = 0; x < step.options; x++) {
      let dv = getF(step.value, x);
      let dw = getF(step.weight, x);
      for (let e = 0; e < step.edges; e++) {
        const edge = edgeOf(step, e);
        const at = getI(edge.row, s) * step.options + x;
        dv += getF(edge.value, at);
        dw += getF(edge.weight, at);
      }
      if (dv == -Infinity) continue;
      const t = next + x * step.joins;
      clearLines();
      for (let i = 0; i < segments; i++) {
        const potential = getF(potentialOf(later, i), t);
        if (potential == -Infinity) continue;
        const slope = getF(bounds.slope, i);
        addLine(slope, 0, getF(roots, i) - getF(cuts, i) - slack - potential - dv + slope * dw);
      }
      if (lineCount == 0) continue;
      if (!mayUse(end + <usize>(to - from) * 2, <f64>((to - from) / pointBytes))) return false;
      end = shift(from, to, dw, dv, t, end);
    }
  }
  return group(k + 1, segments, raw, <i32>((end - raw) / rawBytes), end);
}

/** Raw points to lists by state, undominated, which become the current ones before step k. False where `failed`. */
function group(k: i32, segments: i32, raw: usize, count: i32, end: usize): bool {
  const slots = stepOf(reduced, k).slots;
  const counts = align(end);
  const grouped = align(counts + (<usize>(slots + 1) << 2));
  const scratch = grouped + <usize>count * pointBytes;
  if (!mayUse(scratch + undominatedBytes(count) + 64, <f64>count)) return false;
  memory.fill(counts, 0, <usize>(slots + 1) << 2);
  for (let p = raw; p < end; p += rawBytes) {
    const place = counts + (<usize>load<i32>(p, 16) << 2);
    store<i32>(place, load<i32>(place) + 1);
  }
  let sum = 0;
  for (let s = 0; s <= slots; s++) {
    const n = getI(counts, s);
    setI(counts, s, sum);
    sum += n;
  }
  for (let p = raw; p < end; p += rawBytes) {
    const place = counts + (<usize>load<i32>(p, 16) << 2);
    const at = load<i32>(place);
    store<i32>(place, at + 1);
    setPoint(grouped + <usize>at * pointBytes, weightAt(p), valueAt(p));
  }
  // a state's points now end where its count points
  starts = align(current);
  const list = align(starts + (<usize>(slots + 1) << 2));
  // the starts and the lists may reach over what they are made of where that is short: made behind, then moved down
  const made = align(scratch + undominatedBytes(count));
  const madeLists = align(made + (<usize>(slots + 1) << 2));
  if (!mayUse(madeLists + <usize>count * pointBytes, 0)) return false;
  let kept = 0;
  let from = 0;
  for (let s = 0; s < slots; s++) {
    const to = getI(counts, s);
    setI(made, s, kept);
    if (to > from) {
      const first = grouped + <usize>from * pointBytes;
      let lightest = weightAt(first);
      let heaviest = lightest;
      for (let i = from + 1; i < to; i++) {
        const w = weightAt(grouped + <usize>i * pointBytes);
        lightest = w < lightest ? w : lightest;
        heaviest = w > heaviest ? w : heaviest;
      }
      const lists = madeLists + <usize>kept * pointBytes;
      kept += rule(lists, undominated(first, to - from, lightest, heaviest, scratch, lists), k, s, segments);
    }
    from = to;
  }
  setI(made, slots, kept);
  memory.copy(starts, made, <usize>(slots + 1) << 2);
  memory.copy(list, madeLists, <usize>kept * pointBytes);
  current = list;
  return true;
}

/** All undominated points of whole choices that no cut drops, at `current`. Gives their number, 0 where `failed`. */
function search(segments: i32, from: usize): i32 {
  release(from);
  chooseOptions(segments);
  if (!buildReduced(domainCounts, domainLists)) {
    outOfMemory();
    return 0;
  }
  setGuides(segments);
  for (let g = 0; g < guideCount; g++) guide(g, getF(guideSlopes, g));
  starts = top;
  current = align(starts + 8);
  if (!mayUse(current + pointBytes, 0)) return 0;
  setI(starts, 0, 0);
  setI(starts, 1, 1);
  setPoint(current, 0, 0);
  for (let k = 0; k < stepCount; k++) if (!extend(k, segments)) return 0;
  return getI(starts, 1);
}

/**
 * Finds every undominated point from the first corner to the last, both among them.
 * @param segments corners less one, at least 1
 * @param workLimit pairs of partial choices and options that may be looked at
 * @returns FOUND, NO_MEMORY or TOO_MUCH
 */
export function jointFrontier(segments: i32, workLimit: f64): i32 {
  startWork(workLimit);
  jointPoints = top;
  jointPointCount = 0;
  for (let first = 0; first < segments; first += mostSegments) {
    const count = min(mostSegments, segments - first);
    const corner = jointCorners + <usize>first * cornerBytes;
    for (let i = 0; i <= count; i++) setF(bounds.weight, i, getF(corner, 3 * i));
    for (let i = 0; i < count; i++) {
      const width = getF(corner, 3 * i + 3) - getF(corner, 3 * i);
      setF(bounds.slope, i, getF(corner, 3 * i + 2));
      boundSegment(i);
      setF(cuts, i, getF(bounds.slope, i) * (typicalGap > 0 ? 1.4 * typicalGap : 0.05 * width));
    }
    slack = slackOf(getF(bounds.slope, 0), roundingAt(getF(bounds.slope, 0)));
    const out = jointPoints + <usize>jointPointCount * pointBytes;
    let found = 0;
    let start = 0;
    while (true) {
      found = search(count, out);
      if (failed) return failed;
      start = firstFrom(current, found, getF(bounds.weight, 0));
      found = firstFrom(current, found, getF(bounds.weight, count) + 1);
      if (start == found || weightAt(current + <usize>start * pointBytes) > getF(corner, 0)) {
        // a corner below the hull that the cut has dropped
        if (!mayUse(current + <usize>(found + 1) * pointBytes, 0)) return failed;
        const place = current + <usize>start * pointBytes;
        memory.copy(place + pointBytes, place, <usize>(found - start) * pointBytes);
        setPoint(place, getF(corner, 0), getF(corner, 1));
        found++;
      }
      measureGaps(bounds, 0, count, current + <usize>start * pointBytes, found - start, gaps);
      if (!widenCuts(cuts, gaps, bounds.slope, count)) break;
    }
    typicalGap = typical(gaps, bounds.slope, count);
    // the first point is the last one of the segments before
    if (first > 0) start++;
    memory.copy(out, current + <usize>start * pointBytes, <usize>(found - start) * pointBytes);
    jointPointCount += found - start;
  }
  return failed;
}
