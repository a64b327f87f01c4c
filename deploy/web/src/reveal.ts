// Two pictures over one another; a slider uncovers one of them.

import { h, slider } from "./elements";

/** `before` is seen on the left of the line, `after` on the right. */
export function reveal(before: HTMLCanvasElement, after: HTMLCanvasElement): HTMLElement {
  const line = h("div", { class: "line" });
  const frame = h("div", { class: "reveal" }, before, after, line, h("span", { class: "tag left" }, "before"), h("span", { class: "tag right" }, "after"));
  const move = (share: number) => {
    after.style.clipPath = `inset(0 0 0 ${share * 100}%)`;
    line.style.left = `${share * 100}%`;
    control.input.value = String(share);
  };
  const control = slider("Before and after", { min: 0, max: 1, step: 0.01, value: 0.5 }, move);
  const follow = (event: PointerEvent) => {
    const box = frame.getBoundingClientRect();
    move(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
  };
  frame.addEventListener("pointerdown", (event) => {
    frame.setPointerCapture(event.pointerId);
    follow(event);
  });
  frame.addEventListener("pointermove", (event) => {
    if (frame.hasPointerCapture(event.pointerId)) follow(event);
  });
  move(0.5);
  return h("div", {}, frame, control.element);
}
