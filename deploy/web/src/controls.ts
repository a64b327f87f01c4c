// Which file draws, and which class.

import { choice, h, size, slider } from "./elements";
import { readsLatents, reason } from "./document";
import type { Stage } from "./stage";

/** The bar at the top. `lead` is the sentence under the title. */
export function controls(stage: Stage, lead: HTMLElement): HTMLElement {
  const { gallery } = stage;
  const bar = h("div", { class: "controls" });
  const facts = h("output", { class: "facts" });
  const describe = () => {
    const file = stage.generator.facts;
    const parts = [`${size(file.bytes)}, ${size(file.bytes_gzip)} zipped`, file.quality].filter(Boolean);
    facts.textContent = parts.join(" · ");
    lead.textContent = `Drawn on this device by ${file.label}, a generator of ${size(file.bytes)}.`;
  };
  const choose = (number: number) => {
    stage.choose(number).catch((error) => (facts.textContent = reason(error)));
  };
  if (gallery.files.length > 1) bar.append(fileChooser(stage, choose));
  bar.append(facts);
  const { reads } = stage.generator.facts;
  if (readsLatents(reads) && reads.classes) {
    const names = ["all", ...reads.class_names];
    bar.append(choice("Class", names, 0, (index) => stage.chooseClass(index - 1)));
  }
  stage.onChange(describe);
  describe();
  return bar;
}

/** Buttons for two or three files, a slider from the smallest to the largest for more. */
function fileChooser(stage: Stage, choose: (number: number) => void): HTMLElement {
  const { files, shipped } = stage.gallery;
  if (files.length <= 3) return choice("File", files.map((file) => file.label), shipped, choose);
  const name = h("output", { class: "file-name" }, files[shipped].label);
  const range = { min: 0, max: files.length - 1, step: 1, value: shipped };
  const sizes = slider("Size: smallest to largest file", range, (number) => {
    name.textContent = files[number].label;
    sizes.input.setAttribute("aria-valuetext", `${files[number].label}, ${size(files[number].bytes)}`);
    choose(number);
  });
  return h("div", { class: "file-slider" }, sizes.element, name);
}
