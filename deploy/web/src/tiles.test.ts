import assert from "node:assert/strict";
import { test } from "node:test";

import type { Picture } from "./pictures";
import type { Tiles } from "./document";
import { type TileDrawer, cut, drawByTiles, tileWindows } from "./tiles";

function noise(height: number, width: number, channels: number): Picture {
  let state = 1;
  const next = () => (state = (state * 48271) % 2147483647) & 255;
  return { levels: Uint8ClampedArray.from({ length: height * width * channels }, next), height, width, channels };
}

/** A box blur of `margin` around each pixel, zeros beyond the edge as convolutions have them. */
function blur(levels: Uint8ClampedArray, height: number, width: number, margin: number): Uint8ClampedArray<ArrayBuffer> {
  const blurred = new Uint8ClampedArray(levels.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let v = Math.max(0, y - margin); v <= Math.min(height - 1, y + margin); v++) {
        for (let u = Math.max(0, x - margin); u <= Math.min(width - 1, x + margin); u++) sum += levels[v * width + u];
      }
      blurred[y * width + x] = sum / (2 * margin + 1) ** 2;
    }
  }
  return blurred;
}

function tiling(margin: number, changes: Partial<Tiles> = {}): Tiles {
  return { scale: 1, multiple: 1, margin, seamless: true, ...changes };
}

function drawer(tiles: Tiles, changes: Partial<TileDrawer> = {}): TileDrawer {
  return { height: 16, width: 16, tiles, outputChannels: 1, draw: (levels) => levels, ...changes };
}

async function collect(picture: Picture, by: TileDrawer, signal?: AbortSignal): Promise<Picture> {
  const levels: number[] = [];
  let rows = 0;
  const shares: number[] = [];
  await drawByTiles(picture, by, {
    onRows: (top, band) => {
      assert.equal(top, rows);
      rows += band.height;
      for (const level of band.levels) levels.push(level);
    },
    onTile: async (share) => void shares.push(share),
    signal,
  });
  assert.equal(shares.at(-1), 1);
  const width = picture.width * by.tiles.scale;
  return { levels: Uint8ClampedArray.from(levels), height: rows, width, channels: by.outputChannels };
}

test("weights of tiles sum to 1 everywhere, and tiles start where the file asks for it", () => {
  for (const seamless of [false, true]) {
    for (const multiple of [1, 4]) {
      for (const length of [5, 16, 17, 26, 27, 30, 40, 63]) {
        const sums = new Float32Array(Math.max(length + 4, 20));
        for (const { start, weights } of tileWindows(length, 16, tiling(2, { seamless, multiple }))) {
          assert.equal(start % multiple, 0);
          weights.forEach((weight, k) => (sums[start + k] += weight));
        }
        sums.slice(0, length).forEach((sum) => assert.ok(Math.abs(sum - 1) < 1e-6, `${length}: ${sum}`));
      }
    }
  }
});

test("what looks no further than its margin gives the whole picture's result exactly", async () => {
  for (const [height, width] of [[16, 16], [37, 50], [90, 33]]) {
    const picture = noise(height, width, 1);
    const margin = 3;
    const by = drawer(tiling(margin), { draw: (levels) => blur(levels, 16, 16, margin) });
    const tiled = await collect(picture, by);
    assert.deepEqual([tiled.height, tiled.width], [height, width]);
    assert.deepEqual(tiled.levels, blur(picture.levels, height, width, margin));
  }
});

test("with a margin that is too small there is a seam, so the test above can fail", async () => {
  const picture = noise(37, 50, 1);
  const by = drawer(tiling(1), { draw: (levels) => blur(levels, 16, 16, 3) });
  assert.notDeepEqual((await collect(picture, by)).levels, blur(picture.levels, 37, 50, 3));
});

test("what looks at the whole tile fades from one to the next", async () => {
  let tile = 0;
  const by = drawer(tiling(2, { seamless: false }), {
    draw: (levels) => new Uint8ClampedArray(levels.length).fill(tile++ % 2 ? 200 : 100),
  });
  const { levels, width } = await collect(noise(16, 28, 1), by);
  const line = [...levels.subarray(0, width)];
  const steps = line.slice(1).map((level, x) => Math.abs(level - line[x]));
  assert.ok(Math.max(...steps) <= 30, `${line}`);
  assert.deepEqual([line[0], line[width - 1]], [100, 200]);
});

test("a file that enlarges gives an enlarged picture", async () => {
  const double = (levels: Uint8ClampedArray) =>
    Uint8ClampedArray.from({ length: levels.length * 4 }, (_, i) => {
      const [y, x] = [Math.floor(i / 32), i % 32];
      return levels[(y >> 1) * 16 + (x >> 1)];
    });
  const picture = noise(20, 35, 1);
  const { levels, height, width } = await collect(picture, drawer(tiling(2, { scale: 2 }), { draw: double }));
  assert.deepEqual([height, width], [40, 70]);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      assert.equal(levels[y * width + x], picture.levels[(y >> 1) * 35 + (x >> 1)]);
    }
  }
});

test("a picture smaller than the tile is mirrored around it, and cut again", async () => {
  const picture = noise(5, 9, 3);
  const identity = drawer(tiling(2), { outputChannels: 3 });
  assert.deepEqual((await collect(picture, identity)).levels, picture.levels);
  const tile = cut({ levels: Uint8ClampedArray.from([1, 2, 3]), height: 1, width: 3, channels: 1 }, { height: 1, width: 7 }, 0, 0);
  assert.deepEqual([...tile], [1, 2, 3, 2, 1, 2, 3]);
});

test("colour stays with its pixel", async () => {
  const picture = noise(40, 41, 3);
  assert.deepEqual((await collect(picture, drawer(tiling(2), { outputChannels: 3 }))).levels, picture.levels);
});

test("a cancelled picture ends at the next tile", async () => {
  const cancel = new AbortController();
  let tiles = 0;
  const by = drawer(tiling(2), {
    draw: (levels) => {
      if (++tiles === 2) cancel.abort();
      return levels;
    },
  });
  await assert.rejects(collect(noise(64, 64, 1), by, cancel.signal), { name: "AbortError" });
  assert.equal(tiles, 2);
});
