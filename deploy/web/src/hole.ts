// A part of a photo that is hidden, for generators that fill it in.

import { button, h } from "./elements";
import { type Picture, context } from "./pictures";

/** A hole of a photo's size; what is opaque is hidden. */
export class Hole {
  readonly canvas = document.createElement("canvas");

  /** Another photo: nothing of it is hidden but what a mask says, 255 where hidden. */
  reset(width: number, height: number, mask?: Uint8ClampedArray): void {
    this.canvas.width = width;
    this.canvas.height = height;
    if (!mask) return;
    const image = new ImageData(width, height);
    mask.forEach((level, pixel) => (image.data[4 * pixel + 3] = level));
    context(this.canvas).putImageData(image, 0, 0);
  }

  /** Hide a disc around a point, given as shares of width and height. */
  paint(x: number, y: number): void {
    const { width, height } = this.canvas;
    const drawing = context(this.canvas);
    drawing.beginPath();
    drawing.arc(x * width, y * height, Math.max(1, Math.min(width, height) * 0.07), 0, 2 * Math.PI);
    drawing.fill();
  }

  hideMiddle(): void {
    const { width, height } = this.canvas;
    context(this.canvas).fillRect(width * 0.35, height * 0.35, width * 0.3, height * 0.3);
  }
}

/** A picture with its mask as one more channel, `hidden` where `hole`, of the same size, is opaque. */
export function withHole(picture: Picture, hole: ImageData, hidden: number): Picture {
  const { channels } = picture;
  const depth = channels + 1;
  const levels = new Uint8ClampedArray(picture.width * picture.height * depth);
  for (let pixel = 0; pixel < picture.width * picture.height; pixel++) {
    const isHidden = hole.data[4 * pixel + 3] > 127;
    for (let c = 0; c < channels; c++) levels[pixel * depth + c] = isHidden ? hidden : picture.levels[pixel * channels + c];
    levels[pixel * depth + channels] = isHidden ? 255 : 0;
  }
  return { ...picture, levels, channels: depth };
}

/**
 * Buttons that hide parts of what `frame` shows, by finger or mouse, or its middle by a key; `redraw` is
 * called for each change.
 */
export function holeButtons(frame: HTMLElement, hole: Hole, redraw: () => void): HTMLElement {
  const paint = button("Paint a hole", () => {
    const isOn = paint.getAttribute("aria-pressed") !== "true";
    paint.setAttribute("aria-pressed", String(isOn));
    frame.classList.toggle("painting", isOn);
  }, { "aria-pressed": "false" });
  const follow = (event: PointerEvent) => {
    if (!frame.classList.contains("painting")) return;
    event.stopImmediatePropagation(); // the line between before and after stays
    if (event.type === "pointerdown") frame.setPointerCapture(event.pointerId);
    if (!frame.hasPointerCapture(event.pointerId)) return;
    const box = frame.getBoundingClientRect();
    hole.paint((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    redraw();
  };
  for (const type of ["pointerdown", "pointermove"] as const) frame.addEventListener(type, follow, true);
  const change = (act: () => void) => () => {
    act();
    redraw();
  };
  return h(
    "div",
    { class: "buttons" },
    paint,
    button("Hide the middle", change(() => hole.hideMiddle())),
    button("Show all", change(() => hole.reset(hole.canvas.width, hole.canvas.height))),
  );
}
