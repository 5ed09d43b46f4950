/** Reading the values of options. Every one throws a HalpError with exit code 2 on anything it cannot read. */
import { HalpError } from "../errors.js";
import type { AnchorLevel } from "../evaluation/index.js";
import type { Budget } from "../pipeline/types.js";

const nsPerUnit: Readonly<Record<string, number>> = { s: 1e9, ms: 1e6, us: 1e3, µs: 1e3, μs: 1e3, ns: 1 };
const number = "[-+]?(?:\\d+\\.?\\d*|\\.\\d+)(?:e[-+]?\\d+)?";

/**
 * `55%`, `0.55`, `3.2ms`, `800us`.
 * @throws HalpError HALP_BUDGET_FORMAT, HALP_BUDGET_RANGE
 */
export function parseBudget(text: string): Budget {
  const m = new RegExp(`^\\s*(${number})\\s*(%|[a-zµμ]*)\\s*$`, "i").exec(text);
  const value = Number(m?.[1]);
  const unit = (m?.[2] ?? "").toLowerCase();
  const ns = nsPerUnit[unit];
  if (!m || !Number.isFinite(value) || (unit !== "" && unit !== "%" && ns === undefined))
    throw new HalpError(
      "HALP_BUDGET_FORMAT",
      `The budget "${text}" is not a latency. Give a fraction of the dense latency (55% or 0.55) or a time (3.2ms, 800us).`,
    );
  if (ns !== undefined) {
    if (value > 0) return { kind: "ns", ns: value * ns };
    throw new HalpError(
      "HALP_BUDGET_RANGE",
      `The budget must be a time above zero; ${text} is not. Give, for example, 3.2ms.`,
    );
  }
  const ratio = unit === "%" ? value / 100 : value;
  if (ratio > 0 && ratio < 1) return { kind: "ratio", ratio };
  const hint =
    unit === "" && value > 1
      ? ` A number without a unit is a fraction: did you mean ${text}% or ${text}ms?`
      : " Give, for example, 55%.";
  throw new HalpError(
    "HALP_BUDGET_RANGE",
    `The budget must lie between 0 % and 100 % of the dense latency; ${text} does not.${hint}`,
  );
}

/** One budget, or one for each of several devices: `60%,3.2ms`. @throws HalpError as {@link parseBudget} */
export function parseBudgets(text: string): readonly Budget[] {
  return text.split(",").map(parseBudget);
}

/** A budget as {@link parseBudget} reads it. */
export function formatBudget(budget: Budget): string {
  return budget.kind === "ns" ? `${budget.ns / 1e6}ms` : `${Number((100 * budget.ratio).toPrecision(12))}%`;
}

/** `1x3x320x320` or `1,3,320,320`. @throws HalpError HALP_INPUT_FORMAT */
export function parseDims(text: string): readonly number[] {
  const dims = text.split(/[x,]/i).map((part) => (/^\d+$/.test(part.trim()) ? Number(part) : Number.NaN));
  if (dims.every((d) => Number.isSafeInteger(d) && d > 0)) return dims;
  throw new HalpError(
    "HALP_INPUT_FORMAT",
    `"${text}" is not a shape. Give whole numbers above zero, such as 1x3x320x320.`,
  );
}

/** `NAME=1x3x320x320`; names may hold `=`. @throws HalpError HALP_INPUT_FORMAT */
export function parseInput(text: string): readonly [name: string, dims: readonly number[]] {
  const at = text.lastIndexOf("=");
  if (at <= 0)
    throw new HalpError("HALP_INPUT_FORMAT", `--input wants NAME=SHAPE, such as x=1x3x320x320, not "${text}".`);
  return [text.slice(0, at), parseDims(text.slice(at + 1))];
}

/** A number of 0 or more. @throws HalpError HALP_OPTION_VALUE */
export function parseNumber(flag: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isFinite(value) || value < 0)
      throw new HalpError("HALP_OPTION_VALUE", `${flag} wants a number of 0 or more, not "${text}".`);
    return value;
  };
}

/** Numbers split by commas or spaces. @throws HalpError HALP_OPTION_VALUE */
export function parseNumbers(flag: string): (text: string) => readonly number[] {
  return (text) => {
    const parts = text.split(/[,\s]+/).filter((s) => s !== "");
    const values = parts.map(Number);
    if (values.length > 0 && values.every(Number.isFinite)) return values;
    throw new HalpError("HALP_OPTION_VALUE", `${flag} wants numbers split by commas, not "${text}".`);
  };
}

/** A latency in the problem's unit, or a share of the latency with every variable at its last option. */
export type SolverBudget = number | { readonly ratio: number };

/** Latencies and percentages split by commas or spaces. @throws HalpError HALP_OPTION_VALUE */
export function parseSolverBudgets(text: string): readonly SolverBudget[] {
  const parts = text.split(/[,\s]+/).filter((s) => s !== "");
  const budgets = parts.map((part): SolverBudget => {
    const m = new RegExp(`^(${number})(%?)$`, "i").exec(part);
    const value = Number(m?.[1]);
    if (m !== null && Number.isFinite(value)) return m[2] === "%" ? { ratio: value / 100 } : value;
    throw new HalpError(
      "HALP_OPTION_VALUE",
      `--budget wants latencies in the problem's unit or percentages, split by commas, such as 1200000 or 55%, not "${part}".`,
    );
  });
  if (budgets.length > 0) return budgets;
  throw new HalpError("HALP_OPTION_VALUE", "--budget is empty; give latencies or percentages, split by commas.");
}

const bytesPerUnit: Readonly<Record<string, number>> = { "": 1, b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30 };

/** `512MB`, `2GB`; a bare number is bytes. @throws HalpError HALP_OPTION_VALUE */
export function parseBytes(flag: string): (text: string) => number {
  return (text) => {
    const m = new RegExp(`^\\s*(${number})\\s*([kmg]?b|)\\s*$`, "i").exec(text);
    const value = Number(m?.[1]) * (bytesPerUnit[(m?.[2] ?? "").toLowerCase()] ?? Number.NaN);
    if (m && value > 0 && Number.isFinite(value)) return Math.floor(value);
    throw new HalpError("HALP_OPTION_VALUE", `${flag} wants a size above zero, such as 512MB or 2GB, not "${text}".`);
  };
}

/** `3%` or `0.03`, from 0 to 1. @throws HalpError HALP_OPTION_VALUE */
export function parseFraction(flag: string): (text: string) => number {
  return (text) => {
    const m = new RegExp(`^\\s*(${number})\\s*(%?)\\s*$`, "i").exec(text);
    const value = Number(m?.[1]) / (m?.[2] === "%" ? 100 : 1);
    if (m && value >= 0 && value <= 1) return value;
    throw new HalpError("HALP_OPTION_VALUE", `${flag} wants a fraction, such as 3% or 0.03, not "${text}".`);
  };
}

/** A whole number within a range. @throws HalpError HALP_OPTION_VALUE */
export function parseInteger(
  flag: string,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): (text: string) => number {
  return (text) => {
    const value = /^[-+]?\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
    throw new HalpError("HALP_OPTION_VALUE", `${flag} wants a whole number ${range}, not "${text}".`);
  };
}

/** A time, as in `250ms`, `2s`; a bare number is milliseconds. Gives milliseconds. @throws HalpError HALP_OPTION_VALUE */
export function parseTime(flag: string): (text: string) => number {
  return (text) => {
    const m = new RegExp(`^\\s*(${number})\\s*(s|ms|us|)\\s*$`, "i").exec(text);
    const value = Number(m?.[1]) * ((nsPerUnit[(m?.[2] || "ms").toLowerCase()] ?? Number.NaN) / 1e6);
    if (m && value > 0 && Number.isFinite(value)) return value;
    throw new HalpError("HALP_OPTION_VALUE", `${flag} wants a time above zero, such as 500ms or 2s, not "${text}".`);
  };
}

/** Cores: "auto", "none" or numbers split by commas. @throws HalpError HALP_OPTION_VALUE */
export function parsePin(text: string): "auto" | "none" | readonly number[] {
  if (text === "auto" || text === "none") return text;
  const cores = text.split(",").map((part) => (/^\d{1,4}$/.test(part.trim()) ? Number(part) : Number.NaN));
  if (cores.some(Number.isNaN) || new Set(cores).size !== cores.length)
    throw new HalpError(
      "HALP_OPTION_VALUE",
      `--pin takes auto, none or numbers of cores such as 2 or 2,3; got ${text}.`,
    );
  return cores;
}

/** Levels of anchors, `STRIDE:SIZE+SIZE` split by commas. @throws HalpError HALP_OPTION_VALUE */
export function parseAnchors(text: string): readonly AnchorLevel[] {
  return text.split(",").map((level) => {
    const [stride = Number.NaN, ...sizes] = level
      .split(/[:+]/)
      .map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
    if (/^[^:+]+:[^:]+$/.test(level) && [stride, ...sizes].every((v) => Number.isFinite(v) && v > 0))
      return { stride, sizes };
    throw new HalpError(
      "HALP_OPTION_VALUE",
      `--anchors wants STRIDE:SIZE+SIZE for each level, in pixels, such as 8:10+16+24,16:32+48, not "${text}".`,
    );
  });
}
