import assert from "node:assert/strict";
import { test } from "node:test";

import type { Picture } from "./pictures";
import { thinned } from "./view";

function gradient(height: number, width: number): Picture {
  return { levels: Uint8ClampedArray.from({ length: height * width }, (_, i) => i % 251), height, width, channels: 1 };
}

function rowsOf(picture: Picture, top: number, end: number): Picture {
  const levels = picture.levels.slice(top * picture.width, end * picture.width);
  return { ...picture, levels, height: end - top };
}

test("a picture that is shown at its own size is not thinned", () => {
  const picture = gradient(7, 5);
  assert.deepEqual(thinned(picture, 0, 7, picture), { top: 0, rows: picture });
});

test("bands show what the whole picture shows, each row once", () => {
  const picture = gradient(101, 40);
  const shown = { width: 17, height: 43 };
  const whole = thinned(picture, 0, 101, shown).rows;
  const levels: number[] = [];
  for (let top = 0; top < 101; top += 3) {
    const band = rowsOf(picture, top, Math.min(101, top + 3));
    const part = thinned(band, top, 101, shown);
    assert.equal(part.top, levels.length / shown.width);
    levels.push(...part.rows.levels);
  }
  assert.equal(whole.height, 43);
  assert.deepEqual(levels, [...whole.levels]);
});
