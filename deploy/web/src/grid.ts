// New pictures, many at once.

import { button, canvas, h, nextFrame, panel } from "./elements";
import { latentOf } from "./generator";
import { context, savePng, toImageData } from "./pictures";
import type { Stage } from "./stage";

const COLUMNS = 8;
const ROWS = 4;

/** A grid that is drawn anew for each file and class, a few pictures a frame. */
export function gridPanel(stage: Stage): HTMLElement {
  const { generator } = stage;
  const picture = canvas("A grid of pictures that were drawn just now", { class: "pixels grid" });
  picture.width = COLUMNS * (generator.width + 1) - 1;
  picture.height = ROWS * (generator.height + 1) - 1;
  let seed = 0;
  let turn = 0;
  const redraw = async () => {
    const mine = ++turn;
    let until = performance.now() + 10;
    for (let tile = 0; tile < COLUMNS * ROWS; tile++) {
      drawTile(stage, picture, seed, tile);
      if (performance.now() < until) continue;
      await nextFrame();
      if (mine !== turn) return; // another file or class was chosen meanwhile
      until = performance.now() + 10;
    }
  };
  const renew = () => {
    seed += COLUMNS * ROWS;
    void redraw();
  };
  stage.onChange(redraw);
  void redraw();
  return panel(
    "grid",
    "New pictures",
    picture,
    h(
      "div",
      { class: "buttons" },
      button("Draw others", renew, { class: "primary" }),
      button("Save as PNG", () => savePng(picture, `${stage.gallery.title}-pictures`, 2)),
    ),
  );
}

function drawTile(stage: Stage, picture: HTMLCanvasElement, seed: number, tile: number): void {
  const { generator, latent } = stage;
  const [row, column] = [Math.floor(tile / COLUMNS), tile % COLUMNS];
  const label = stage.label >= 0 ? stage.label : tile % Math.max(1, latent.classes);
  const image = toImageData(generator.drawLatent(latentOf(latent, seed + tile, label)));
  context(picture).putImageData(image, column * (generator.width + 1), row * (generator.height + 1));
}
