// Pictures as levels, and canvases that show them.

/** Levels 0 to 255, row by row, `channels` of them a pixel: 1 grey, 3 colour; one more is a mask. */
export interface Picture {
  levels: Uint8ClampedArray<ArrayBuffer>;
  height: number;
  width: number;
  channels: number;
}

export function toImageData({ levels, height, width, channels }: Picture): ImageData {
  const image = new ImageData(width, height);
  for (let from = 0, to = 0; to < image.data.length; from += channels, to += 4) {
    image.data[to] = levels[from];
    image.data[to + 1] = levels[from + (channels < 3 ? 0 : 1)];
    image.data[to + 2] = levels[from + (channels < 3 ? 0 : 2)];
    image.data[to + 3] = 255;
  }
  return image;
}

/** The picture in an ImageData; grey is its luma, as Pillow's "L" has it. */
export function fromImageData(image: ImageData, channels: number): Picture {
  const { width, height, data } = image;
  const levels = new Uint8ClampedArray(width * height * channels);
  for (let from = 0, to = 0; from < data.length; from += 4, to += channels) {
    if (channels === 1) {
      const luma = data[from] * 19595 + data[from + 1] * 38470 + data[from + 2] * 7471 + 0x8000;
      levels[to] = luma >> 16;
    } else {
      for (let channel = 0; channel < 3; channel++) levels[to + channel] = data[from + channel];
    }
  }
  return { levels, height, width, channels };
}

/** Let a canvas show a picture, at the picture's size. */
export function show(canvas: HTMLCanvasElement, picture: Picture): void {
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width;
    canvas.height = picture.height;
  }
  context(canvas).putImageData(toImageData(picture), 0, 0);
}

export function context(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const found = canvas.getContext("2d", { willReadFrequently: true });
  if (!found) throw new Error("this browser gives no canvas to draw on");
  return found;
}

export interface Difference {
  picture: Picture;
  largest: number;
  mean: number;
}

/** |a − b| a level, `gain` times as bright. */
export function difference(a: Picture, b: Picture, gain: number): Difference {
  const levels = new Uint8ClampedArray(a.levels.length);
  let largest = 0;
  let sum = 0;
  for (let i = 0; i < levels.length; i++) {
    const steps = Math.abs(a.levels[i] - b.levels[i]);
    largest = Math.max(largest, steps);
    sum += steps;
    levels[i] = steps * gain;
  }
  return { picture: { ...a, levels }, largest, mean: sum / levels.length };
}

/** Let the browser save what a canvas shows as a PNG; each of its pixels `zoom` pixels wide. */
export function savePng(canvas: HTMLCanvasElement, name: string, zoom = 1): void {
  const copy = document.createElement("canvas");
  copy.width = canvas.width * zoom;
  copy.height = canvas.height * zoom;
  const drawing = context(copy);
  drawing.imageSmoothingEnabled = false;
  drawing.drawImage(canvas, 0, 0, copy.width, copy.height);
  copy.toBlob((blob) => {
    if (!blob) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${name}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }, "image/png");
}
