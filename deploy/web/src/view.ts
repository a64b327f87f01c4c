// A picture of any size in a canvas of the page. A browser without a GPU takes seconds to paint a canvas
// of 12 megapixels, however small it stands in the page: so large pictures are kept aside and shown smaller.

import { type Picture, context, toImageData } from "./pictures";

/** Pixels of the longer side that are shown: a frame of 512, of up to three dots each. */
const MOST_SHOWN = 1536;

export class View {
  /** The picture at its own size; not in the page. */
  readonly whole = document.createElement("canvas");

  constructor(readonly shown: HTMLCanvasElement) {}

  /** Begin a picture of that size; nothing of it is drawn. */
  begin(width: number, height: number): void {
    // So that the frame around both pictures is not higher than the screen.
    this.shown.parentElement?.style.setProperty("--aspect", String(width / height));
    const share = Math.min(1, MOST_SHOWN / Math.max(width, height));
    clear(this.whole, width, height);
    clear(this.shown, Math.max(1, Math.round(width * share)), Math.max(1, Math.round(height * share)));
  }

  /** Rows from `top` on, all columns of them. Until `finish` they are shown roughly. */
  putRows(top: number, rows: Picture): void {
    context(this.whole).putImageData(toImageData(rows), 0, top);
    const part = thinned(rows, top, this.whole.height, this.shown);
    if (part.rows.height) context(this.shown).putImageData(toImageData(part.rows), 0, part.top);
  }

  /** Show what is drawn smoothly. */
  finish(): void {
    const { width, height } = this.shown;
    if (width === this.whole.width && height === this.whole.height) return;
    const drawing = context(this.shown);
    drawing.imageSmoothingQuality = "high";
    drawing.drawImage(this.whole, 0, 0, width, height);
  }

  show(picture: Picture): void {
    this.begin(picture.width, picture.height);
    this.putRows(0, picture);
    this.finish();
  }
}

/** Setting a canvas's size clears it. */
function clear(canvas: HTMLCanvasElement, width: number, height: number): void {
  canvas.width = width;
  canvas.height = height;
}

/**
 * Of the rows from `top` on of a picture of `height` rows those that show it at the size `shown`, each pixel
 * one of theirs, and where they begin there.
 */
export function thinned(
  rows: Picture,
  top: number,
  height: number,
  shown: { width: number; height: number },
): { top: number; rows: Picture } {
  const { channels } = rows;
  const { width } = shown;
  const place = (row: number) => Math.ceil((row * shown.height) / height);
  const [first, end] = [place(top), place(top + rows.height)];
  const levels = new Uint8ClampedArray(width * (end - first) * channels);
  let to = 0;
  for (let y = first; y < end; y++) {
    const line = (Math.floor((y * height) / shown.height) - top) * rows.width;
    for (let x = 0; x < width; x++) {
      const from = (line + Math.floor((x * rows.width) / width)) * channels;
      for (let channel = 0; channel < channels; channel++) levels[to++] = rows.levels[from + channel];
    }
  }
  return { top: first, rows: { levels, width, height: end - first, channels } };
}
