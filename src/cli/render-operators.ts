/** The operators that halp knows. */
import type { KnownOperator } from "../operators/index.js";
import type { Styles } from "./style.js";
import { renderTable } from "./table.js";

export function renderOperators(operators: readonly KnownOperator[], width: number, styles: Styles): string {
  const yes = (x: boolean): string => (x ? "yes" : "-");
  const rows = operators.map((o) => [o.name, yes(o.folds), yes(o.channels), o.slicing, yes(o.gradient)]);
  const titles = ["operator", "folds", "channels", "slicing", "gradient"];
  return renderTable(
    titles.map((title) => ({ title })),
    rows,
    width,
    styles.bold,
  );
}
