// A brush that hides parts of a photo: by finger, mouse or keys.

import { button, canvas, choice, h, nextFrame, slider } from "./elements";
import type { Box, Hole, Point } from "./hole";
import { context } from "./pictures";

export interface Paintable {
  readonly hole: Hole;
  /** The part of the photo that the frame shows. */
  readonly visible: Box;
  /** Whether drawing keeps up with a brush. */
  readonly isQuick: boolean;
  redraw(): Promise<void>;
}

const MODES = ["move the line", "hide", "uncover"];
const KEYS = "The brush: arrow keys move it, with Shift they paint on the way, Space paints where it is";
/** Of the frame's width or height, for each press of a key. */
const STEP = 0.05;
const MOST_STROKE = 512; // pixels of the longer side of what shows a stroke

class Brush {
  /** An index of MODES. */
  mode = 0;
  /** Of the shorter side of what is visible. */
  width = 0.15;
  /** Shares of the frame's width and height. */
  at: Point = { x: 0.5, y: 0.5 };
  private isAsked = false;

  constructor(
    readonly frame: HTMLElement,
    readonly photo: Paintable,
    readonly ring: HTMLElement,
    /** Shows a stroke that the photo is too slow to follow. */
    readonly strokes: HTMLCanvasElement,
  ) {}

  get isOn(): boolean {
    return this.mode > 0;
  }

  choose(mode: number): void {
    this.mode = mode;
    this.frame.classList.toggle("painting", this.isOn);
    const attributes = { tabindex: "0", role: "application", "aria-label": KEYS };
    for (const [name, value] of Object.entries(attributes)) {
      if (this.isOn) this.frame.setAttribute(name, value);
      else this.frame.removeAttribute(name);
    }
    this.moveTo(this.at);
  }

  /** Move without painting. */
  moveTo({ x, y }: Point): void {
    this.at = { x: Math.min(1, Math.max(0, x)), y: Math.min(1, Math.max(0, y)) };
    const [, , width, height] = this.photo.visible;
    this.ring.style.left = `${this.at.x * 100}%`;
    this.ring.style.top = `${this.at.y * 100}%`;
    this.ring.style.width = `${((this.width * Math.min(width, height)) / width) * 100}%`;
  }

  /** Paint on the way to a point. */
  paintTo(to: Point): void {
    const from = this.inPhoto();
    this.moveTo(to);
    const [, , width, height] = this.photo.visible;
    this.photo.hole.stroke(from, this.inPhoto(), this.width * Math.min(width, height), this.mode === 1);
    if (this.photo.isQuick) this.ask();
    else this.showStrokes();
  }

  /** Draw what was painted. */
  finish(): void {
    this.strokes.hidden = true;
    void this.photo.redraw();
  }

  private inPhoto(): Point {
    const [left, top, width, height] = this.photo.visible;
    return { x: left + this.at.x * width, y: top + this.at.y * height };
  }

  /** Draw in the next frame, once. */
  private ask(): void {
    if (this.isAsked) return;
    this.isAsked = true;
    void nextFrame().then(() => {
      this.isAsked = false;
      void this.photo.redraw();
    });
  }

  private showStrokes(): void {
    const [left, top, width, height] = this.photo.visible;
    const { strokes } = this;
    const share = Math.min(1, MOST_STROKE / Math.max(width, height));
    strokes.width = Math.ceil(width * share); // which clears it
    strokes.height = Math.ceil(height * share);
    strokes.hidden = false;
    const drawing = context(strokes);
    drawing.drawImage(this.photo.hole.canvas, left, top, width, height, 0, 0, strokes.width, strokes.height);
    drawing.globalCompositeOperation = "source-in";
    drawing.fillStyle = getComputedStyle(strokes).color;
    drawing.fillRect(0, 0, strokes.width, strokes.height);
  }
}

/** What controls a brush on the picture in `frame`. */
export function brushControls(frame: HTMLElement, photo: Paintable): HTMLElement[] {
  const ring = h("div", { class: "ring" });
  const strokes = canvas("What is being painted", { class: "strokes", hidden: true });
  frame.append(strokes, ring);
  const brush = new Brush(frame, photo, ring, strokes);
  followPointer(brush);
  followKeys(brush);
  const width = slider("Width of the brush", { min: 0.03, max: 0.5, step: 0.01, value: brush.width }, (value) => {
    brush.width = value;
    brush.moveTo(brush.at);
  });
  const change = (act: () => void) => () => {
    act();
    brush.finish();
  };
  const { hole } = photo;
  return [
    choice("On the picture, a finger, the mouse or keys", MODES, 0, (mode) => brush.choose(mode)),
    width.element,
    h(
      "div",
      { class: "buttons" },
      button("Hide the middle", change(() => hole.hideMiddle(photo.visible))),
      button("Show all", change(() => hole.reset(hole.canvas.width, hole.canvas.height))),
    ),
  ];
}

/** Ahead of the line between before and after, which stays where it is meanwhile. */
function followPointer(brush: Brush): void {
  const { frame } = brush;
  const place = (event: PointerEvent): Point => {
    const box = frame.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  };
  const listen = (type: "pointerdown" | "pointermove" | "pointerup" | "pointercancel", act: (event: PointerEvent) => void) =>
    frame.addEventListener(type, (event) => {
      if (!brush.isOn) return;
      event.stopImmediatePropagation();
      act(event);
    }, true);
  listen("pointerdown", (event) => {
    frame.setPointerCapture(event.pointerId);
    brush.moveTo(place(event));
    brush.paintTo(brush.at);
  });
  listen("pointermove", (event) => {
    if (frame.hasPointerCapture(event.pointerId)) brush.paintTo(place(event));
    else brush.moveTo(place(event));
  });
  listen("pointerup", () => brush.finish());
  listen("pointercancel", () => brush.finish());
}

function followKeys(brush: Brush): void {
  const ways: Record<string, Point> = {
    ArrowLeft: { x: -STEP, y: 0 },
    ArrowRight: { x: STEP, y: 0 },
    ArrowUp: { x: 0, y: -STEP },
    ArrowDown: { x: 0, y: STEP },
    " ": { x: 0, y: 0 },
  };
  brush.frame.addEventListener("keydown", (event) => {
    const way = ways[event.key];
    if (!brush.isOn || !way) return;
    event.preventDefault(); // the page would scroll
    const to = { x: brush.at.x + way.x, y: brush.at.y + way.y };
    if (event.key === " " || event.shiftKey) brush.paintTo(to);
    else brush.moveTo(to);
  });
  brush.frame.addEventListener("keyup", (event) => {
    if (brush.isOn && (event.key === " " || event.key === "Shift")) brush.finish();
  });
}
