// From a seed to a latent, from real numbers to those a file holds, and back to pixels.
// The same as deploy/bundle/drawing.py does: int8 pictures are equal to the desktop's, bit by bit.

import type { TensorSpec } from "./document";

const ALL_BITS = (1n << 64n) - 1n;

/** The first `count` normal numbers of a seed: SplitMix64, then Box and Muller's transform. */
export function normal(seed: number, count: number): Float32Array {
  const values = new Float32Array(count);
  let state = BigInt(seed) & ALL_BITS;
  const uniform = () => {
    state = (state + 0x9e3779b97f4a7c15n) & ALL_BITS;
    let z = ((state ^ (state >> 30n)) * 0xbf58476d1ce4e5b9n) & ALL_BITS;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & ALL_BITS;
    return Number((z ^ (z >> 31n)) >> 11n) * 2 ** -53;
  };
  for (let i = 0; i < count; i++) {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    values[i] = radius * Math.cos(2 * Math.PI * uniform());
  }
  return values;
}

/** To the nearest whole number; of two equally near ones the even one, as NumPy does. */
export function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

const ARRAYS = { int8: Int8Array, int16: Int16Array, float32: Float32Array };
const LIMITS = { int8: 128, int16: 32768, float32: Infinity };

/** Real numbers as the bytes of a tensor: round(v / scale) + zero point, clipped. */
export function encode(values: ArrayLike<number>, tensor: TensorSpec): Uint8Array<ArrayBuffer> {
  const stored = new ARRAYS[tensor.dtype](values.length);
  for (let i = 0; i < values.length; i++) stored[i] = encodeOne(values[i], tensor);
  return new Uint8Array(stored.buffer);
}

export function encodeOne(value: number, tensor: TensorSpec): number {
  if (tensor.dtype === "float32") return value;
  const limit = LIMITS[tensor.dtype];
  const step = roundHalfEven(value / tensor.scale) + tensor.zero_point;
  return Math.min(limit - 1, Math.max(-limit, step));
}

/** What a file drew, as levels from 0 for black to 255 for white. */
export class PixelDecoder {
  private readonly table: Uint8ClampedArray | null;

  constructor(
    private readonly tensor: TensorSpec,
    private readonly low: number,
    private readonly high: number,
  ) {
    this.table = null;
    if (tensor.dtype === "int8") {
      this.table = Uint8ClampedArray.from({ length: 256 }, (_, byte) => this.level((byte << 24) >> 24));
    }
  }

  decode(bytes: Uint8Array<ArrayBuffer>): Uint8ClampedArray<ArrayBuffer> {
    const { table } = this;
    if (table) {
      const levels = new Uint8ClampedArray(bytes.length);
      for (let i = 0; i < bytes.length; i++) levels[i] = table[bytes[i]];
      return levels;
    }
    const stored = new ARRAYS[this.tensor.dtype](bytes.buffer, bytes.byteOffset);
    const levels = new Uint8ClampedArray(stored.length);
    for (let i = 0; i < stored.length; i++) levels[i] = this.level(stored[i]);
    return levels;
  }

  private level(stored: number): number {
    const { scale, zero_point } = this.tensor;
    const value = scale ? (stored - zero_point) * scale : stored;
    return roundHalfEven(((value - this.low) / (this.high - this.low)) * 255);
  }
}

/** Percentile of sorted numbers, by the nearest rank. */
export function percentile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))];
}
