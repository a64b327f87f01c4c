// A part of a photo that is hidden, for generators that fill it in.

import { type Picture, context } from "./pictures";

/** In pixels of the photo. */
export interface Point {
  x: number;
  y: number;
}

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

  /** Hide what a round brush of that width passes on its way, or show it again. */
  stroke(from: Point, to: Point, width: number, hides: boolean): void {
    const drawing = context(this.canvas);
    drawing.globalCompositeOperation = hides ? "source-over" : "destination-out";
    drawing.lineWidth = Math.max(2, width); // a pixel at least, wherever its middle is
    drawing.lineCap = "round";
    drawing.beginPath();
    drawing.moveTo(from.x, from.y);
    drawing.lineTo(to.x, to.y);
    drawing.stroke();
    drawing.beginPath(); // browsers may leave out a line of no length
    drawing.arc(to.x, to.y, drawing.lineWidth / 2, 0, 2 * Math.PI);
    drawing.fill();
    drawing.globalCompositeOperation = "source-over";
  }

  /** Hide the middle of a part. */
  hideMiddle([left, top, width, height]: Box): void {
    context(this.canvas).fillRect(left + width * 0.35, top + height * 0.35, width * 0.3, height * 0.3);
  }
}

/** A part of a picture, in its pixels. */
export type Box = [left: number, top: number, width: number, height: number];

/** The largest box of an aspect in the middle of a picture. */
export function middle(width: number, height: number, aspect: number): Box {
  const [w, t] = width / height > aspect ? [height * aspect, height] : [width, width / aspect];
  return [(width - w) / 2, (height - t) / 2, w, t];
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
