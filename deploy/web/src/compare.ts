// The chosen file and float32 on the same input, and where they differ.

import { reason } from "./document";
import { canvas, h, panel, slider } from "./elements";
import { difference, show } from "./pictures";
import type { Stage } from "./stage";
import type { Source } from "./walk";

/** Nothing where the page has no float32 file. */
export function comparePanel(stage: Stage, source: Source): HTMLElement[] {
  const { reference } = stage;
  if (!reference || stage.generators.length < 2) return [];
  const views = ["chosen", "reference", "difference"].map((name) => canvas(name, { class: "pixels" }));
  const title = h("figcaption", {}, stage.generator.facts.label);
  const words = h("output", { class: "facts" }, "opening …");
  let gain = 8;
  const redraw = () => {
    title.textContent = stage.generator.facts.label;
    if (!reference.isOpen) return;
    const pair = [source.drawWith(stage.generator.number), source.drawWith(reference.number)];
    if (!pair[0] || !pair[1]) return;
    const apart = difference(pair[0], pair[1], gain);
    [pair[0], pair[1], apart.picture].forEach((picture, view) => show(views[view], picture));
    words.textContent = `Largest difference ${apart.largest} of 255, mean ${apart.mean.toFixed(2)}.`;
  };
  const opened = reference.open().then(redraw);
  opened.catch((error) => (words.textContent = reason(error)));
  source.onDraw(redraw);
  stage.onChange(redraw);
  const captions = [title, h("figcaption", {}, reference.facts.label), h("figcaption", {}, "difference")];
  const strength = slider("Difference, so many times as bright", { min: 1, max: 32, step: 1, value: gain }, (value) => {
    gain = value;
    redraw();
  });
  return [
    panel(
      "compare",
      "The same input, in float32",
      h("div", { class: "trio" }, ...views.map((view, place) => h("figure", {}, view, captions[place]))),
      strength.element,
      words,
    ),
  ];
}
