// How fast the chosen file draws here.

import { readsLatents } from "./document";
import { breathe, button, h, panel, size } from "./elements";
import { latentOf, type Generator } from "./generator";
import { encode, percentile } from "./numbers";
import type { Stage } from "./stage";

const WARMUP = 20;
const RUNS = 200;

export interface Speed {
  p50: number;
  p90: number;
  perSecond: number;
}

/** Time one picture after another, in milliseconds. */
export async function measure(generator: Generator, inputs: Uint8Array[]): Promise<Speed> {
  const times: number[] = [];
  let pause = performance.now() + 40;
  for (let run = -WARMUP; run < RUNS; run++) {
    const start = performance.now();
    generator.drawEncoded(inputs[(run + WARMUP) % inputs.length]);
    const end = performance.now();
    if (run >= 0) times.push(end - start);
    if (end > pause) {
      await breathe();
      pause = performance.now() + 40;
    }
  }
  const total = times.reduce((sum, time) => sum + time, 0);
  times.sort((a, b) => a - b);
  return { p50: percentile(times, 0.5), p90: percentile(times, 0.9), perSecond: (1000 * RUNS) / total };
}

export function speedPanel(stage: Stage): HTMLElement {
  const body = h("tbody");
  const rows = new Map<number, HTMLElement>();
  const act = button("Measure", async () => {
    act.disabled = true;
    const { generator } = stage;
    const speed = await measure(generator, inputsOf(stage));
    const cells = [generator.facts.label, size(generator.facts.bytes), speed.p50.toFixed(2), speed.p90.toFixed(2), speed.perSecond.toFixed(0)];
    const row = h("tr", {}, h("th", { scope: "row" }, cells[0]), ...cells.slice(1).map((cell) => h("td", {}, cell)));
    rows.get(generator.number)?.remove();
    rows.set(generator.number, row);
    body.append(row);
    act.disabled = false;
  }, { class: "primary" });
  const titles = ["file", "bytes", "p50, ms", "p90, ms", "pictures a second"];
  return panel(
    "speed",
    "Speed on this device",
    h("p", {}, `${RUNS} pictures, one after another, on one thread of this browser; its clock has steps of about 0.1 ms.`),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Speed" }, h("table", {}, h("thead", {}, h("tr", {}, ...titles.map((title) => h("th", { scope: "col" }, title)))), body)),
    h("div", { class: "buttons" }, act),
  );
}

function inputsOf(stage: Stage): Uint8Array[] {
  const { generator } = stage;
  const { reads } = generator.facts;
  if (readsLatents(reads)) {
    const classes = Math.max(1, reads.classes);
    return Array.from({ length: 16 }, (_, seed) => encode(latentOf(reads, seed, seed % classes), generator.facts.input));
  }
  const count = generator.facts.input.shape.reduce((product, side) => product * side, 1);
  const noise = Uint8ClampedArray.from({ length: count }, (_, place) => (place * 7919) % 256);
  return [generator.encodePicture(noise)];
}
