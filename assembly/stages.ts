// The stages of the search: one for each class decided, with its items and the links of the states it ended with.
import { classCount, option } from "./classes";
import { allocate, getI, setI } from "./memory";
import { copyState, linkOf, stateBytes, valueOf, weightOf } from "./states";

/** Records of 20 bytes: class, item list, items, link list, decided classes. */
let stages: usize = 0;
const stageBytes: usize = 20;
/** Stages done. */
export let stageCount: i32 = 0;

export function layoutStages(): bool {
  stages = allocate(<usize>classCount * stageBytes);
  stageCount = 0;
  return stages != 0;
}

@inline
function stageAt(s: i32): usize {
  return stages + <usize>s * stageBytes;
}

/** The stage at work decides class l among k items; with it so many classes are decided. */
export function startStage(l: i32, items: usize, k: i32, decided: i32): void {
  const stage = stageAt(stageCount);
  store<i32>(stage, l);
  store<u32>(stage, <u32>items, 4);
  store<i32>(stage, k, 8);
  store<i32>(stage, decided, 16);
}

/** The stage at work is done: its states' links, u32 each. */
export function finishStage(links: usize): void {
  store<u32>(stageAt(stageCount), <u32>links, 12);
  stageCount++;
}

/** How many classes were decided with a stage. */
export function decidedAt(s: i32): i32 {
  return load<i32>(stageAt(s), 16);
}

/** Whether the state behind link a takes smaller items than the one behind link b, first class first. Of the stage at work. */
function smaller(a: u32, b: u32): bool {
  let first = i32.MAX_VALUE;
  let result = true;
  let s = stageCount;
  while (true) {
    const stage = stageAt(s);
    const l = load<i32>(stage);
    const items = <usize>load<u32>(stage, 4);
    const k = load<u32>(stage, 8);
    const itemA = getI(option, getI(items, <i32>(a % k)));
    const itemB = getI(option, getI(items, <i32>(b % k)));
    if (itemA != itemB && l < first) {
      first = l;
      result = itemA < itemB;
    }
    const stateA = a / k;
    const stateB = b / k;
    if (stateA == stateB || --s < 0) return result;
    const links = <usize>load<u32>(stageAt(s), 12);
    a = load<u32>(links + (<usize>stateA << 2));
    b = load<u32>(links + (<usize>stateB << 2));
  }
}

/**
 * Merges two lists of the stage at work and drops dominated states; of equal ones the smaller choice stays where the search
 * is `exhaustive`. Gives the end of what was written to `out`.
 */
export function merge(a: usize, aEnd: usize, b: usize, bEnd: usize, out: usize, exhaustive: bool): usize {
  let last: f64 = -Infinity;
  if (a < aEnd && b < bEnd) {
    let wa = weightOf(a);
    let va = valueOf(a);
    let wb = weightOf(b);
    let vb = valueOf(b);
    while (true) {
      if (wa == wb && va == vb && exhaustive) {
        if (va > last) {
          copyState(out, smaller(linkOf(a), linkOf(b)) ? a : b);
          out += stateBytes;
          last = va;
        }
        a += stateBytes;
        b += stateBytes;
        if (a >= aEnd || b >= bEnd) break;
        wa = weightOf(a);
        va = valueOf(a);
        wb = weightOf(b);
        vb = valueOf(b);
      } else if (wa < wb || (wa == wb && va >= vb)) {
        if (va > last) {
          copyState(out, a);
          out += stateBytes;
          last = va;
        }
        a += stateBytes;
        if (a >= aEnd) break;
        wa = weightOf(a);
        va = valueOf(a);
      } else {
        if (vb > last) {
          copyState(out, b);
          out += stateBytes;
          last = vb;
        }
        b += stateBytes;
        if (b >= bEnd) break;
        wb = weightOf(b);
        vb = valueOf(b);
      }
    }
  }
  // dominated states of the rest come first: both lists rise
  while (a < aEnd && valueOf(a) <= last) a += stateBytes;
  memory.copy(out, a, aEnd - a);
  out += aEnd - a;
  while (b < bEnd && valueOf(b) <= last) b += stateBytes;
  memory.copy(out, b, bEnd - b);
  return out + (bEnd - b);
}

/** Writes the items that led to a state of stage `last` to i32[classCount] choice. */
export function unwind(choice: usize, last: i32, state: i32): void {
  for (let s = last; s >= 0; s--) {
    const stage = stageAt(s);
    const k = load<u32>(stage, 8);
    const link = load<u32>(<usize>load<u32>(stage, 12) + (<usize>state << 2));
    setI(choice, load<i32>(stage), getI(<usize>load<u32>(stage, 4), <i32>(link % k)));
    state = <i32>(link / k);
  }
}
