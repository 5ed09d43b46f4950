import type { Problem } from "../../src/solver/index.js";

/** A problem as a mixed-integer linear program: one binary per option, one continuous variable per pair of options. */
export interface LinearProgram {
  readonly objective: readonly number[];
  /** Columns that are binary; the others are continuous and not negative. */
  readonly binary: readonly boolean[];
  /** Rows that must equal their right-hand side: [column, coefficient][]. */
  readonly equal: readonly { readonly terms: readonly (readonly [number, number])[]; readonly right: number }[];
  /** The latency of each column. */
  readonly latency: readonly number[];
}

/** Pairs are linearised the strong way: each row and column of y sums to the option's own variable. */
export function linearise(problem: Problem): LinearProgram {
  const objective: number[] = [];
  const binary: boolean[] = [];
  const latency: number[] = [];
  const equal: { terms: [number, number][]; right: number }[] = [];
  const column = (value: number, cost: number, whole: boolean): number => {
    objective.push(value);
    latency.push(cost);
    return binary.push(whole) - 1;
  };
  const options = new Map(problem.variables.map((v) => [v.name, v.values.map((x) => column(x, 0, true))]));
  for (const columns of options.values()) equal.push({ terms: columns.map((x) => [x, 1]), right: 1 });
  for (const factor of problem.factors) {
    const [a, b] = factor.variables.map((name) => options.get(name)!);
    if (b === undefined) {
      factor.latency.forEach((x, i) => {
        if (x === null || Array.isArray(x)) equal.push({ terms: [[a![i]!, 1]], right: 0 });
        else latency[a![i]!]! += x as number;
        objective[a![i]!]! += (factor.value?.[i] as number | undefined) ?? 0;
      });
      continue;
    }
    const rows = a!.map((x): [number, number][] => [[x, -1]]);
    const columns = b.map((x): [number, number][] => [[x, -1]]);
    factor.latency.forEach((row, i) => {
      (row as readonly (number | null)[]).forEach((x, j) => {
        if (x === null) return;
        const y = column((factor.value?.[i] as readonly number[] | undefined)?.[j] ?? 0, x, false);
        rows[i]!.push([y, 1]);
        columns[j]!.push([y, 1]);
      });
    });
    for (const terms of [...rows, ...columns]) equal.push({ terms, right: 0 });
  }
  return { objective, binary, equal, latency };
}

/** The program in CPLEX LP format, as HiGHS reads it. */
export function toLpText(program: LinearProgram, budget: number): string {
  const sum = (terms: readonly (readonly [number, number])[]): string => {
    const lines: string[] = [];
    for (let i = 0; i < terms.length; i += 8)
      lines.push(
        terms
          .slice(i, i + 8)
          .map(([x, c]) => `${c < 0 ? "-" : "+"} ${Math.abs(c)} x${x}`)
          .join(" "),
      );
    return lines.join("\n ");
  };
  const dense = (numbers: readonly number[]): [number, number][] =>
    numbers.map((c, x): [number, number] => [x, c]).filter(([, c]) => c !== 0);
  return [
    "Maximize",
    ` obj: ${sum(dense(program.objective))}`,
    "Subject To",
    ...program.equal.map(({ terms, right }, i) => ` c${i}: ${sum(terms)} = ${right}`),
    ` budget: ${sum(dense(program.latency))} <= ${budget}`,
    "Binary",
    ...program.binary.flatMap((whole, x) => (whole ? [` x${x}`] : [])),
    "End",
    "",
  ].join("\n");
}
