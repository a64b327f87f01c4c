// Whether this browser draws what the desktop's runtime drew when the page was written.

import { type Gallery, readBlob, reason } from "./document";
import { breathe, h } from "./elements";
import type { Generator } from "./generator";
import type { Stage } from "./stage";

/** Most levels out of 255 that a float32 file may be off: other kernels, other rounding. */
const FLOAT_STEPS = 1;

export interface Verdict {
  equal: number;
  total: number;
  largest: number;
}

/** Check every file that the page opens at its start, and say so in badges. */
export async function checkGolden(stage: Stage, badges: HTMLElement): Promise<void> {
  const { reference, generator, gallery } = stage;
  for (const each of new Set([generator, reference ?? generator])) {
    badges.append(badge(...(await describe(each, gallery))));
    await breathe();
  }
}

async function describe(generator: Generator, gallery: Gallery): Promise<[boolean, string]> {
  const { label, output } = generator.facts;
  try {
    await generator.open();
    const { equal, total, largest } = await verdictOf(generator, gallery.golden);
    if (equal === total) return [true, `${label}: ${total} of ${total} pictures equal the desktop’s, bit by bit`];
    const isSound = output.dtype === "float32" && largest <= FLOAT_STEPS;
    return [isSound, `${label}: ${equal} of ${total} pictures equal the desktop’s, others ${largest} of 255 away at most`];
  } catch (error) {
    return [false, reason(error)];
  }
}

export async function verdictOf(generator: Generator, total: number): Promise<Verdict> {
  const inputs = await readBlob(`golden-inputs-${generator.number}`);
  const pixels = await readBlob(`golden-pixels-${generator.number}`);
  const [inputSize, size] = [inputs.length / total, pixels.length / total];
  const verdict = { equal: 0, total, largest: 0 };
  for (let each = 0; each < total; each++) {
    const { levels } = generator.drawEncoded(inputs.subarray(each * inputSize, (each + 1) * inputSize));
    let worst = 0;
    for (let i = 0; i < size; i++) worst = Math.max(worst, Math.abs(levels[i] - pixels[each * size + i]));
    if (worst === 0) verdict.equal++;
    verdict.largest = Math.max(verdict.largest, worst);
  }
  return verdict;
}

function badge(isGood: boolean, text: string): HTMLElement {
  return h("span", { class: isGood ? "badge good" : "badge bad" }, `${isGood ? "✓" : "✗"} ${text}`);
}
