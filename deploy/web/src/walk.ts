// A walk between four latents: drag, arrow keys, or let it go by itself.

import { button, canvas, h, nextFrame, panel, slider, wantsStillness } from "./elements";
import { latentOf } from "./generator";
import { type Picture, savePng, show } from "./pictures";
import type { Stage } from "./stage";

/** What another panel can watch: the input that is drawn now. */
export interface Source {
  element: HTMLElement;
  /** Draw the present input with another file. */
  drawWith(number: number): Picture | null;
  onDraw(act: () => void): void;
}

const CORNERS = 4;

/** Weights of four corners at a point of the unit square: they sum to 1. */
export function cornerWeights(x: number, y: number): number[] {
  return [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y];
}

/** The weighted sum of `vectors`; its first `length` numbers scaled to the spread of one latent. */
export function blend(vectors: Float32Array[], weights: number[], length: number): Float32Array {
  const mixed = new Float32Array(vectors[0].length);
  const spread = Math.sqrt(weights.reduce((sum, weight) => sum + weight * weight, 0));
  for (let i = 0; i < mixed.length; i++) {
    let sum = 0;
    for (let corner = 0; corner < vectors.length; corner++) sum += weights[corner] * vectors[corner][i];
    mixed[i] = i < length ? sum / spread : sum;
  }
  return mixed;
}

class Walk {
  x = 0.5;
  y = 0.5;
  seed = 1000;
  /** How far along each direction of the latents. */
  amounts: number[] = [];
  vector: Float32Array = new Float32Array();
  private corners: Float32Array[] = [];
  private readonly watchers: (() => void)[] = [];
  private isAsked = false;
  /** Nobody who watches draws before this time, in ms. */
  private pause = 0;
  private later: ReturnType<typeof setTimeout> | undefined;
  private times: number[] = [];

  constructor(
    readonly stage: Stage,
    readonly canvas: HTMLCanvasElement,
    readonly thumbnails: HTMLCanvasElement[],
    readonly rate: HTMLElement,
  ) {}

  /** Draw the corners, then the point between them. */
  renew(): void {
    const { latent, generator, label } = this.stage;
    this.corners = Array.from({ length: CORNERS }, (_, corner) => {
      const spread = (this.seed + corner) % Math.max(1, latent.classes);
      return latentOf(latent, this.seed + corner, label >= 0 ? label : spread);
    });
    this.corners.forEach((vector, corner) => show(this.thumbnails[corner], generator.drawLatent(this.moved(vector))));
    this.ask();
  }

  watch(act: () => void): void {
    this.watchers.push(act);
  }

  /** Draw in the next frame, once. */
  ask(): void {
    if (this.isAsked) return;
    this.isAsked = true;
    void nextFrame().then((now) => {
      this.isAsked = false;
      this.draw();
      this.measure(now);
    });
  }

  private draw(): void {
    const weights = cornerWeights(this.x, this.y);
    this.vector = this.moved(blend(this.corners, weights, this.stage.latent.length));
    show(this.canvas, this.stage.generator.drawLatent(this.vector));
    this.notify();
  }

  /** Tell who watches. They draw in float32, which is slow: a quarter of the time is theirs at most. */
  private notify(): void {
    clearTimeout(this.later);
    const start = performance.now();
    if (start < this.pause) {
      this.later = setTimeout(() => this.notify(), this.pause - start);
      return;
    }
    for (const act of this.watchers) act();
    const end = performance.now();
    this.pause = end + 3 * (end - start);
  }

  /** The vector, moved along the directions that the latents have. */
  private moved(vector: Float32Array): Float32Array {
    const moved = vector.slice();
    this.stage.latent.directions.forEach((direction, number) => {
      const amount = this.amounts[number];
      direction.vector.forEach((value, place) => (moved[place] += amount * value));
    });
    return moved;
  }

  /** Frames a second, while they follow one another. */
  private measure(now: number): void {
    const times = this.times;
    if (times.length && now - times[times.length - 1] > 200) times.length = 0;
    times.push(now);
    if (times.length > 60) times.shift();
    if (times.length > 10) {
      const rate = ((times.length - 1) * 1000) / (now - times[0]);
      this.rate.textContent = `${rate.toFixed(0)} frames a second`;
    }
  }
}

export function walkPanel(stage: Stage): Source {
  const picture = canvas("The picture at the chosen point between four others", { class: "pixels" });
  const thumbnails = Array.from({ length: CORNERS }, (_, corner) =>
    canvas(`Corner ${corner + 1}`, { class: "pixels corner" }),
  );
  const rate = h("output", { class: "facts" });
  const dot = h("div", { class: "dot" });
  const pad = h("div", { class: "pad" }, picture, ...thumbnails, dot);
  const walk = new Walk(stage, picture, thumbnails, rate);
  walk.amounts = stage.latent.directions.map(() => 0);
  const across = slider("Left to right", { min: 0, max: 1, step: 0.01, value: 0.5 }, (x) => go(x, walk.y));
  const down = slider("Top to bottom", { min: 0, max: 1, step: 0.01, value: 0.5 }, (y) => go(walk.x, y));
  const go = (x: number, y: number) => {
    [walk.x, walk.y] = [x, y].map((value) => Math.min(1, Math.max(0, value)));
    dot.style.left = `${walk.x * 100}%`;
    dot.style.top = `${walk.y * 100}%`;
    across.input.value = String(walk.x);
    down.input.value = String(walk.y);
    walk.ask();
  };
  followPointer(pad, go);
  const stroll = strolling(go);
  const others = () => {
    walk.seed += CORNERS;
    walk.renew();
  };
  stage.onChange(() => walk.renew());
  walk.renew();
  go(0.5, 0.5);
  const element = panel(
    "walk",
    "Walk between four pictures",
    h("p", {}, "Drag across the picture, or use the two sliders."),
    pad,
    across.element,
    down.element,
    ...directions(walk),
    h("div", { class: "buttons" }, stroll, button("Four others", others), button("Save as PNG", () => savePng(picture, `${stage.gallery.title}-picture`, 8))),
    rate,
  );
  return {
    element,
    drawWith: (number) => (walk.vector.length ? stage.generators[number].drawLatent(walk.vector) : null),
    onDraw: (act) => walk.watch(act),
  };
}

/** A slider for each direction that changes one thing. */
function directions(walk: Walk): HTMLElement[] {
  return walk.stage.latent.directions.map(({ name }, number) => {
    const range = { min: -2, max: 2, step: 0.02, value: 0 };
    return slider(name, range, (value) => {
      walk.amounts[number] = value;
      walk.renew();
    }).element;
  });
}

function followPointer(pad: HTMLElement, go: (x: number, y: number) => void): void {
  const follow = (event: PointerEvent) => {
    const box = pad.getBoundingClientRect();
    go((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  };
  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    follow(event);
  });
  pad.addEventListener("pointermove", (event) => {
    if (pad.hasPointerCapture(event.pointerId)) follow(event);
  });
}

/** A button that starts and stops a walk by itself. Nothing moves until somebody asks. */
function strolling(go: (x: number, y: number) => void): HTMLButtonElement {
  let isWalking = false;
  const toggle = button("Let it walk", async () => {
    isWalking = !isWalking;
    toggle.setAttribute("aria-pressed", String(isWalking));
    toggle.textContent = isWalking ? "Stop" : "Let it walk";
    const pace = wantsStillness() ? 0.15 : 0.6;
    const start = performance.now();
    while (isWalking) {
      const seconds = ((await nextFrame()) - start) / 1000;
      go(0.5 + 0.5 * Math.sin(seconds * pace), 0.5 + 0.5 * Math.sin(seconds * pace * 1.37 + 1));
    }
  }, { "aria-pressed": "false", class: "primary" });
  return toggle;
}
