// What the run's report says of its files.

import type { Gallery } from "./document";
import { h, panel } from "./elements";

/** Nothing where the run has no report. */
export function reportPanel({ table, gates, warnings }: Gallery): HTMLElement[] {
  const notes = [
    ...gates.map(({ text, passed }) => h("li", { class: passed ? "good" : "bad" }, `${passed ? "✓" : "✗"} ${text}`)),
    ...warnings.map((text) => h("li", { class: "bad" }, `unfinished: ${text}`)),
  ];
  if (!table && !notes.length) return [];
  const parts: HTMLElement[] = [];
  if (table) {
    const head = h("tr", {}, ...table.columns.map((title) => h("th", { scope: "col" }, title)));
    const rows = table.rows.map(([name, ...cells]) =>
      h("tr", {}, h("th", { scope: "row" }, name), ...cells.map((cell) => h("td", {}, cell))),
    );
    parts.push(h("p", {}, "Measured where the files were made, not here."));
    parts.push(h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Figures of the report" }, h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows))));
  }
  if (notes.length) parts.push(h("ul", { class: "gates" }, ...notes));
  return [panel("report", "What the report says", ...parts)];
}
