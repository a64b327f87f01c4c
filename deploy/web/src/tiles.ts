// A picture of any size through a file of one size: tile by tile, without a seam.
//
// Tiles overlap by twice the margin. Where they are seamless, what a tile draws farther than the
// margin from its edge does not depend on what lies beyond, and one tile is cut off there for the
// next: the result is exactly that of the whole picture. Elsewhere tiles fade into one another.

import type { Tiles } from "./document";
import type { Picture } from "./pictures";

/** A file that draws tiles. */
export interface TileDrawer {
  /** Rows and columns that it reads. */
  height: number;
  width: number;
  tiles: Tiles;
  outputChannels: number;
  draw(levels: Uint8ClampedArray<ArrayBuffer>): Uint8ClampedArray;
}

/** Where a tile starts, and how much each of its rows or columns counts, 0 to 1. */
export interface TileWindow {
  start: number;
  weights: Float32Array;
}

/** Tiles that cover `length`, the last one flush with its end; weights sum to 1 everywhere. */
export function tileWindows(length: number, tile: number, { multiple, margin, seamless }: Tiles): TileWindow[] {
  const overlap = 2 * margin;
  const last = Math.max(tile, Math.ceil(length / multiple) * multiple) - tile;
  const windows: TileWindow[] = [];
  for (let start = 0; ; start = Math.min(last, start + tile - overlap)) {
    const weights = new Float32Array(tile).fill(1);
    if (windows.length) {
      for (let k = 0; k < overlap; k++) weights[k] = seamless ? Number(k >= margin) : (k + 0.5) / overlap;
    }
    for (const earlier of windows) {
      for (let k = start - earlier.start; k < tile; k++) earlier.weights[k] *= 1 - weights[k + earlier.start - start];
    }
    windows.push({ start, weights });
    if (start === last) return windows;
  }
}

export interface Progress {
  /** Rows of the result from `top`, all its columns: final. */
  onRows(top: number, rows: Picture): void;
  /** Share of the tiles that are drawn. May wait, so that the browser paints. */
  onTile(share: number): Promise<void>;
  signal?: AbortSignal;
}

/**
 * Draw `picture` by tiles, from top to bottom. Memory: one row of tiles beside the picture itself.
 * Rejects with an AbortError once `signal` is aborted.
 */
export async function drawByTiles(picture: Picture, drawer: TileDrawer, progress: Progress): Promise<void> {
  const { scale } = drawer.tiles;
  const rows = tileWindows(picture.height, drawer.height, drawer.tiles);
  const columns = tileWindows(picture.width, drawer.width, drawer.tiles);
  const band = new Band(picture.width * scale, drawer.height * scale, drawer.outputChannels);
  const total = rows.length * columns.length;
  for (const [i, row] of rows.entries()) {
    for (const [j, column] of columns.entries()) {
      progress.signal?.throwIfAborted();
      const levels = drawer.draw(cut(picture, drawer, row.start, column.start));
      band.add(levels, drawer.width * scale, column.start * scale, {
        rows: stretched(row.weights, scale),
        columns: stretched(column.weights, scale),
      });
      await progress.onTile((i * columns.length + j + 1) / total);
    }
    const next = Math.min(picture.height, rows[i + 1]?.start ?? Infinity);
    progress.onRows(row.start * scale, band.take((next - row.start) * scale));
  }
}

/** The tile whose first pixel is (top, left); beyond the picture's edges it is mirrored. */
export function cut(
  picture: Picture,
  tile: { height: number; width: number },
  top: number,
  left: number,
): Uint8ClampedArray<ArrayBuffer> {
  const { channels } = picture;
  const levels = new Uint8ClampedArray(tile.height * tile.width * channels);
  let to = 0;
  for (let y = top; y < top + tile.height; y++) {
    const line = mirrored(y, picture.height) * picture.width;
    for (let x = left; x < left + tile.width; x++) {
      const from = (line + mirrored(x, picture.width)) * channels;
      for (let channel = 0; channel < channels; channel++) levels[to++] = picture.levels[from + channel];
    }
  }
  return levels;
}

function mirrored(place: number, length: number): number {
  if (place < length) return place;
  if (length === 1) return 0;
  const period = 2 * (length - 1);
  const rest = place % period;
  return rest < length ? rest : period - rest;
}

function stretched(weights: Float32Array, scale: number): Float32Array {
  return Float32Array.from({ length: weights.length * scale }, (_, i) => weights[Math.floor(i / scale)]);
}

/** The rows that tiles are being added to. */
class Band {
  private sums: Float32Array;

  constructor(
    private readonly width: number,
    private readonly height: number,
    private readonly channels: number,
  ) {
    this.sums = new Float32Array(width * height * channels);
  }

  add(
    levels: Uint8ClampedArray,
    tileWidth: number,
    left: number,
    weights: { rows: Float32Array; columns: Float32Array },
  ): void {
    const columns = Math.min(tileWidth, this.width - left);
    for (let y = 0; y < this.height; y++) {
      for (let x = 0; x < columns; x++) {
        const weight = weights.rows[y] * weights.columns[x];
        if (weight === 0) continue;
        const to = (y * this.width + left + x) * this.channels;
        const from = (y * tileWidth + x) * this.channels;
        for (let channel = 0; channel < this.channels; channel++) {
          this.sums[to + channel] += weight * levels[from + channel];
        }
      }
    }
  }

  /** The first `rows`, which then go; what is below moves up. */
  take(rows: number): Picture {
    const count = Math.min(rows, this.height) * this.width * this.channels;
    // To the nearest level: a clamped array rounds by itself.
    const levels = Uint8ClampedArray.from(this.sums.subarray(0, count));
    this.sums.copyWithin(0, count);
    this.sums.fill(0, this.sums.length - count);
    return { levels, height: count / (this.width * this.channels), width: this.width, channels: this.channels };
  }
}
