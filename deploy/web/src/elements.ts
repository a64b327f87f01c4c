// Elements in one call, and the parts that several panels share.

type Attributes = Record<string, string | number | boolean | ((event: Event) => void)>;

/** An element with attributes, listeners (names that start with "on") and children. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

export function button(text: string, act: () => void, attributes: Attributes = {}): HTMLButtonElement {
  return h("button", { type: "button", onclick: act, ...attributes }, text);
}

/** A part of the page under a heading. */
export function panel(id: string, title: string, ...children: (Node | string)[]): HTMLElement {
  return h("section", { id, "aria-labelledby": `${id}-title` }, h("h2", { id: `${id}-title` }, title), ...children);
}

/** A canvas that a screen reader can name. */
export function canvas(label: string, attributes: Attributes = {}): HTMLCanvasElement {
  return h("canvas", { role: "img", "aria-label": label, ...attributes });
}

export interface Slider {
  element: HTMLElement;
  input: HTMLInputElement;
}

/** A labelled slider; `act` gets its value while it moves. */
export function slider(
  label: string,
  range: { min: number; max: number; step: number; value: number },
  act: (value: number) => void,
): Slider {
  const input = h("input", { type: "range", min: range.min, max: range.max, step: range.step });
  input.value = String(range.value);
  input.addEventListener("input", () => act(Number(input.value)));
  return { element: h("label", { class: "slider" }, h("span", {}, label), input), input };
}

/** One of several, as a row of buttons that arrow keys go through. */
export function choice(
  legend: string,
  names: string[],
  chosen: number,
  act: (index: number) => void,
): HTMLElement {
  const group = `choice-${legend.replaceAll(/\W+/g, "-")}`;
  const options = names.map((name, index) => {
    const input = h("input", { type: "radio", name: group, checked: index === chosen, onchange: () => act(index) });
    return h("label", {}, input, h("span", {}, name));
  });
  return h("fieldset", { class: "choice" }, h("legend", {}, legend), h("div", {}, ...options));
}

/** Bytes for people. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(bytes < 1e5 ? 1 : 0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

export function nextFrame(): Promise<number> {
  return new Promise((resolve) => requestAnimationFrame(resolve));
}

/** Let the browser paint and listen, also where the page is hidden and has no frames. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

export const wantsStillness = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
