import type { Plan } from "../joint/plan.js";

/** A plan over some of its options, with every frontier's combinations numbered (the last variable runs fastest). */
export interface Program {
  readonly steps: readonly ProgramStep[];
}

export interface ProgramStep {
  /** The plan's options still in play. */
  readonly domain: Int32Array;
  readonly value: Float64Array;
  readonly weight: Float64Array;
  /** Combinations of the frontier before this step. */
  readonly states: number;
  readonly edges: readonly {
    readonly from: number;
    readonly value: Float64Array;
    readonly weight: Float64Array;
    /** For each combination, the option of the edge's earlier variable. */
    readonly row: Int32Array;
  }[];
  /** The combination that follows when option x is taken: next[state] + x * stride. */
  readonly next: Int32Array;
  readonly stride: 0 | 1;
}

/** Numbers the combinations of a plan over the given options of each step. */
export function buildProgram(plan: Plan, domains: readonly Int32Array[]): Program {
  let frontier: number[] = [];
  const steps = plan.steps.map((step, k): ProgramStep => {
    const domain = domains[k]!;
    const sizes = frontier.map((f) => domains[f]!.length);
    const states = sizes.reduce((a, b) => a * b, 1);
    const next = new Int32Array(states);
    const edges = step.edges.map((edge) => {
      const pick = (table: Float64Array): Float64Array => {
        const rows = domains[edge.from]!;
        const out = new Float64Array(rows.length * domain.length);
        for (let i = 0; i < rows.length; i++)
          for (let j = 0; j < domain.length; j++)
            out[i * domain.length + j] = table[rows[i]! * step.value.length + domain[j]!]!;
        return out;
      };
      return { from: edge.from, value: pick(edge.value), weight: pick(edge.weight), row: new Int32Array(states) };
    });
    const digits = new Int32Array(frontier.length);
    for (let s = 0; s < states; s++) {
      let to = 0;
      for (const position of step.stay) to = to * sizes[position]! + digits[position]!;
      next[s] = step.joins ? to * domain.length : to;
      step.edges.forEach((edge, e) => {
        edges[e]!.row[s] = digits[edge.position]!;
      });
      for (let d = digits.length - 1; d >= 0 && ++digits[d]! === sizes[d]; d--) digits[d] = 0;
    }
    frontier = [...step.stay.map((position) => frontier[position]!), ...(step.joins ? [k] : [])];
    return {
      domain,
      value: Float64Array.from(domain, (i) => step.value[i]!),
      weight: Float64Array.from(domain, (i) => step.weight[i]!),
      states,
      edges,
      next,
      stride: step.joins ? 1 : 0,
    };
  });
  return { steps };
}

/** Value and weight of option x at a step, coming from a frontier state: the variable's own and its edges'. */
export function gain(step: ProgramStep, state: number, x: number): { value: number; weight: number } {
  let value = step.value[x]!;
  let weight = step.weight[x]!;
  for (const edge of step.edges) {
    const at = edge.row[state]! * step.domain.length + x;
    value += edge.value[at]!;
    weight += edge.weight[at]!;
  }
  return { value, weight };
}
