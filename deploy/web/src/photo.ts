// Photos through a generator that reads pictures: dropped, chosen, taken, or one of the examples.

import { type Tiles, readBlob, reason } from "./document";
import { breathe, button, canvas, choice, h, panel } from "./elements";
import { type Paintable, brushControls } from "./brush";
import { type Box, Hole, middle, withHole } from "./hole";
import { type Picture, context, fromImageData, savePng, show } from "./pictures";
import type { Stage } from "./stage";
import { cut, drawByTiles } from "./tiles";
import { reveal } from "./reveal";
import { camera } from "./camera";
import { View } from "./view";
import type { Source } from "./walk";

/** The largest canvas that phones show, in pixels; larger photos are made smaller first. */
const MOST_PIXELS = 16_000_000;
/** What a brush may wait for a picture on its way; of slower ones it sees its stroke alone. */
const QUICK_MS = 50;

type Sized = CanvasImageSource & { width: number; height: number };

class Photo implements Paintable {
  /** Whether the photo goes through in parts at its own size; else its middle, made small. */
  byTiles = false;
  tile: Picture | null = null;
  readonly hole = new Hole();
  visible: Box = [0, 0, 1, 1];
  /** Milliseconds that the last picture took. */
  private took = 0;
  private photo: HTMLCanvasElement | null = null;
  private cancel = new AbortController();
  private readonly watchers: (() => void)[] = [];

  constructor(
    readonly stage: Stage,
    readonly before: View,
    readonly after: View,
    readonly words: HTMLElement,
    readonly bar: HTMLProgressElement,
    /** Shown while tiles are being drawn. */
    readonly work: HTMLElement,
  ) {}

  private get inputShape(): [number, number, number] {
    const [, height, width, channels] = this.stage.generator.facts.input.shape;
    return [height, width, channels];
  }

  private get scale(): number {
    return this.stage.generator.height / this.inputShape[0];
  }

  get isQuick(): boolean {
    return this.took < QUICK_MS;
  }

  get hasMask(): boolean {
    return this.stage.pictureInput.mask;
  }

  watch(act: () => void): void {
    this.watchers.push(act);
  }

  /** End what is being drawn. */
  stop(): void {
    this.cancel.abort();
  }

  /** Take another picture, and draw it. */
  async take(picture: CanvasImageSource, width: number, height: number): Promise<void> {
    const shrink = Math.min(1, Math.sqrt(MOST_PIXELS / (width * height * this.scale ** 2)));
    this.photo = resized(picture, [0, 0, width, height], Math.max(1, Math.round(width * shrink)), Math.max(1, Math.round(height * shrink)));
    this.hole.reset(this.photo.width, this.photo.height);
    await this.redraw();
  }

  /** A picture that has the file's own size, with its mask where the file reads one. */
  async takeExact(picture: Picture): Promise<void> {
    const { width, height, channels } = picture;
    this.photo = document.createElement("canvas");
    show(this.photo, picture);
    const last = picture.levels.filter((_, place) => place % channels === channels - 1);
    this.hole.reset(width, height, this.hasMask ? last : undefined);
    await this.redraw();
  }

  async redraw(): Promise<void> {
    if (!this.photo) return;
    this.stop();
    const cancel = (this.cancel = new AbortController());
    const start = performance.now();
    try {
      const { tiles } = this.stage.pictureInput;
      if (this.byTiles && tiles) await this.drawTiles(this.photo, tiles, cancel.signal);
      else this.drawWhole(this.photo);
      this.took = performance.now() - start;
      const took = this.took < 1000 ? `${this.took.toFixed(0)} ms` : `${(this.took / 1000).toFixed(1)} s`;
      this.words.textContent = `${sizeOf(this.before)} → ${sizeOf(this.after)} pixels in ${took}.`;
    } catch (error) {
      if (cancel !== this.cancel) return; // another picture was taken meanwhile
      this.words.textContent = cancel.signal.aborted ? "Stopped." : reason(error);
    } finally {
      if (cancel === this.cancel) this.work.hidden = true;
    }
  }

  /** The middle of a picture at the file's size. */
  drawWhole(photo: Sized): void {
    const [height, width] = this.inputShape;
    const middleOf = (whole: Sized) => middle(whole.width, whole.height, width / height);
    this.visible = middleOf(this.hole.canvas);
    const hole = resized(this.hole.canvas, this.visible, width, height, "");
    this.tile = this.read(resized(photo, middleOf(photo), width, height), hole);
    this.before.show(this.tile);
    this.after.show(this.stage.generator.drawPicture(this.tile.levels));
    for (const act of this.watchers) act();
  }

  /** The levels that the file reads: grey or colour, and what is hidden of them. */
  private read(photo: HTMLCanvasElement, hole: HTMLCanvasElement): Picture {
    const pixels = (canvas: HTMLCanvasElement) => context(canvas).getImageData(0, 0, photo.width, photo.height);
    const { channels, hidden } = this.stage.pictureInput;
    const picture = fromImageData(pixels(photo), channels === "grey" ? 1 : 3);
    return hidden === null ? picture : withHole(picture, pixels(hole), hidden);
  }

  private async drawTiles(photo: HTMLCanvasElement, tiles: Tiles, signal: AbortSignal): Promise<void> {
    const [height, width, channels] = this.inputShape;
    this.visible = [0, 0, photo.width, photo.height];
    const picture = this.read(photo, this.hole.canvas);
    const [top, left] = [Math.max(0, (picture.height - height) >> 1), Math.max(0, (picture.width - width) >> 1)];
    this.tile = { levels: cut(picture, { height, width }, top, left), height, width, channels };
    this.before.show(picture);
    this.after.begin(picture.width * tiles.scale, picture.height * tiles.scale);
    for (const act of this.watchers) act();
    this.work.hidden = false;
    this.words.textContent = "Drawing …";
    let pause = performance.now() + 30;
    const drawer = await this.stage.generator.tileDrawer(tiles, picture);
    await drawByTiles(picture, drawer, {
      signal,
      onRows: (top, rows) => this.after.putRows(top, rows),
      onTile: async (share) => {
        const start = performance.now();
        if (start < pause) return;
        this.bar.value = share;
        await breathe();
        const end = performance.now();
        // Painting gets a quarter of the time at most.
        pause = end + Math.min(500, Math.max(30, 3 * (end - start)));
      },
    });
    this.after.finish();
  }
}

/** The panel, with its first example drawn. */
export async function photoPanel(stage: Stage): Promise<Source> {
  const before = canvas("The picture as it was", { class: "pixels" });
  const after = canvas("The picture as it became", { class: "pixels" });
  const words = h("output", { class: "facts" });
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Share of the picture that is drawn" });
  const work = h("div", { class: "work", hidden: true }, bar, button("Stop", () => photo.stop()));
  const photo = new Photo(stage, new View(before), new View(after), words, bar, work);
  const file = h("input", { type: "file", accept: "image/*", class: "visually-hidden", id: "photo-file" });
  const takeFile = async (blob: Blob | null | undefined) => {
    if (!blob) return;
    try {
      const bitmap = await createImageBitmap(blob);
      await photo.take(bitmap, bitmap.width, bitmap.height);
      bitmap.close();
    } catch (error) {
      words.textContent = `This is no picture that the browser can read (${reason(error)}).`;
    }
  };
  file.addEventListener("change", () => void takeFile(file.files?.[0]));
  const names = ["The middle, made small", "All of it, by tiles"];
  const { tiles } = stage.pictureInput;
  photo.byTiles = tiles !== null && tiles.seamless;
  const mode = choice("What of the photo", names, Number(photo.byTiles), (index) => {
    photo.byTiles = index === 1;
    void photo.redraw();
  });
  const frame = reveal(before, after);
  const element = panel(
    "photo",
    "A photo of yours",
    h("p", {}, "Drop a photo here, choose one, use the camera, or take one of these."),
    await examples(stage, (picture) => void photo.takeExact(picture)),
    frame,
    ...(photo.hasMask ? brushControls(frame.querySelector<HTMLElement>(".reveal")!, photo) : []),
    work,
    words,
    h(
      "div",
      { class: "buttons" },
      file, // ahead of its label, which is what shows that it has the focus
      h("label", { class: "button primary", for: "photo-file" }, "Choose a photo"),
      ...camera({
        onFrame: (video) => photo.drawWhole(video),
        onEnd: (video) => void photo.take(video, video.width, video.height),
        onProblem: (problem) => (words.textContent = problem),
      }),
      button("Save as PNG", () => savePng(photo.after.whole, `${stage.gallery.title}-photo`)),
    ),
    ...(tiles ? [mode] : []),
  );
  acceptDrops(element, takeFile);
  stage.onChange(() => void photo.redraw());
  return {
    element,
    drawWith: (number) => (photo.tile ? stage.generators[number].drawPicture(photo.tile.levels) : null),
    onDraw: (act) => photo.watch(act),
  };
}

/** Buttons with the pictures that the page brings along; the first is taken at once. */
async function examples(stage: Stage, take: (picture: Picture) => void): Promise<HTMLElement> {
  const levels = new Uint8ClampedArray(await readBlob("examples"));
  const [, height, width, channels] = stage.generator.facts.input.shape;
  const size = height * width * channels;
  const row = h("div", { class: "examples", role: "group", "aria-label": "Examples" });
  for (let start = 0; start < levels.length; start += size) {
    const picture = { levels: levels.slice(start, start + size), height, width, channels };
    const view = canvas(`Example ${start / size + 1}`, { class: "pixels" });
    show(view, picture);
    row.append(h("button", { type: "button", onclick: () => take(picture) }, view));
    if (start === 0) take(picture);
  }
  return row;
}

/** Anywhere on the page: what misses a part of it would replace the page. */
function acceptDrops(element: HTMLElement, take: (file: Blob | null | undefined) => void): void {
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    element.classList.add("dropping");
  });
  document.addEventListener("dragleave", () => element.classList.remove("dropping"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    element.classList.remove("dropping");
    take(event.dataTransfer?.files[0]);
  });
}

function sizeOf({ whole }: View): string {
  return `${whole.width} × ${whole.height}`;
}

/** What is transparent becomes the `paper`; without one it stays so. */
function resized(
  picture: CanvasImageSource,
  [left, top, w, t]: Box,
  width: number,
  height: number,
  paper = "#fff",
): HTMLCanvasElement {
  const small = document.createElement("canvas");
  small.width = width;
  small.height = height;
  const drawing = context(small);
  drawing.imageSmoothingQuality = "high";
  if (paper) {
    drawing.fillStyle = paper;
    drawing.fillRect(0, 0, width, height);
  }
  drawing.drawImage(picture, left, top, w, t, 0, 0, width, height);
  return small;
}
