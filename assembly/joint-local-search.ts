// Improves a choice by changing one variable at a time, the best change first, while the weight stays within the budget.
import { Edge, edgeOf, full, stepCount, stepOf } from "./joint-program";
import { allocate, getF, getI, setI } from "./memory";

/** An edge seen from one of its two variables: the entry for options (x here, y there) is at x * here + y * there. */
@unmanaged
class Link {
  other: i32;
  here: i32;
  there: i32;
  edge: usize;
}

/** i32[stepCount + 1] into links. */
let linkStart: usize = 0;
let links: usize = 0;

/** The choice being improved, i32 by step; its value and weight. */
export let improvedValue: f64 = 0;
export let improvedWeight: f64 = 0;

export function layoutLocalSearch(): bool {
  let edges = 0;
  for (let k = 0; k < stepCount; k++) edges += stepOf(full, k).edges;
  linkStart = allocate(<usize>(stepCount + 2) << 2);
  links = allocate(<usize>(2 * edges) * offsetof<Link>() + 16);
  if (linkStart == 0 || links == 0) return false;
  for (let k = 0; k < stepCount + 2; k++) setI(linkStart, k, 0);
  // counting sort by variable: linkStart[k + 2] counts, then [k + 1] is where the next link of k goes
  for (let k = 0; k < stepCount; k++) {
    const step = stepOf(full, k);
    for (let e = 0; e < step.edges; e++) {
      const from = edgeOf(step, e).from;
      setI(linkStart, k + 2, getI(linkStart, k + 2) + 1);
      setI(linkStart, from + 2, getI(linkStart, from + 2) + 1);
    }
  }
  for (let k = 1; k < stepCount + 2; k++) setI(linkStart, k, getI(linkStart, k) + getI(linkStart, k - 1));
  for (let k = 0; k < stepCount; k++) {
    const step = stepOf(full, k);
    for (let e = 0; e < step.edges; e++) {
      const edge = edgeOf(step, e);
      addLink(k, edge.from, 1, step.stride, edge);
      addLink(edge.from, k, step.stride, 1, edge);
    }
  }
  return true;
}

function addLink(k: i32, other: i32, here: i32, there: i32, edge: Edge): void {
  const at = getI(linkStart, k + 1);
  setI(linkStart, k + 1, at + 1);
  const link = changetype<Link>(links + <usize>at * offsetof<Link>());
  link.other = other;
  link.here = here;
  link.there = there;
  link.edge = changetype<usize>(edge);
}

let partValue: f64 = 0;
let partWeight: f64 = 0;

/** What option x of step k is worth and weighs beside the rest of the choice. */
@inline
function part(choice: usize, k: i32, x: i32): void {
  const step = stepOf(full, k);
  let v = getF(step.value, x);
  let w = getF(step.weight, x);
  const end = getI(linkStart, k + 1);
  for (let i = getI(linkStart, k); i < end; i++) {
    const link = changetype<Link>(links + <usize>i * offsetof<Link>());
    const edge = changetype<Edge>(link.edge);
    const at = x * link.here + getI(choice, link.other) * link.there;
    v += getF(edge.value, at);
    w += getF(edge.weight, at);
  }
  partValue = v;
  partWeight = w;
}

/** Improves a choice of the given value and weight in place. */
export function improve(choice: usize, value: f64, weight: f64, budget: f64): void {
  while (true) {
    let bestStep = -1;
    let bestOption = 0;
    let bestValue = value;
    let bestWeight = weight;
    for (let k = 0; k < stepCount; k++) {
      part(choice, k, getI(choice, k));
      const restValue = value - partValue;
      const restWeight = weight - partWeight;
      const n = stepOf(full, k).options;
      for (let x = 0; x < n; x++) {
        part(choice, k, x);
        const v = restValue + partValue;
        const w = restWeight + partWeight;
        if (w <= budget && (v > bestValue || (v == bestValue && w < bestWeight))) {
          bestStep = k;
          bestOption = x;
          bestValue = v;
          bestWeight = w;
        }
      }
    }
    if (bestStep < 0) break;
    setI(choice, bestStep, bestOption);
    value = bestValue;
    weight = bestWeight;
  }
  improvedValue = value;
  improvedWeight = weight;
}
