import assert from "node:assert/strict";
import { test } from "node:test";

import { PixelDecoder, encode, normal, percentile, roundHalfEven } from "./numbers";
import { blend, cornerWeights } from "./walk";

const INT8 = { name: "x", dtype: "int8" as const, shape: [1, 4], scale: 0.5, zero_point: -3 };

test("halves are rounded to the even number, as NumPy rounds them", () => {
  assert.deepEqual([0.5, 1.5, 2.5, -0.5, -1.5, 2.4999].map(roundHalfEven).map((value) => value + 0), [0, 2, 2, 0, -2, 2]);
});

test("real numbers become steps of the tensor, clipped to its type", () => {
  assert.deepEqual([...new Int8Array(encode([0, 1, -1000, 1000], INT8).buffer)], [-3, -1, -128, 127]);
  const float = { ...INT8, dtype: "float32" as const, scale: 0, zero_point: 0 };
  assert.deepEqual([...new Float32Array(encode([0.5, -2], float).buffer)], [0.5, -2]);
});

test("steps become levels between black and white", () => {
  const tensor = { ...INT8, scale: 1 / 128, zero_point: 0 };
  const bytes = new Uint8Array(Int8Array.from([-128, 0, 127]).buffer);
  assert.deepEqual([...new PixelDecoder(tensor, -1, 1).decode(bytes)], [0, 128, 254]);
});

test("a seed gives the normal numbers of every other language", () => {
  // The first three of seed 7, from deploy/bundle/drawing.py.
  const expected = [0.9884743323187353, -1.8642558067312274, 0.00392020721518934];
  normal(7, 3).forEach((value, place) => assert.ok(Math.abs(value - expected[place]) < 1e-6));
});

test("a corner of the walk is its latent, and the middle is as spread as any", () => {
  const vectors = [0, 1, 2, 3].map((seed) => normal(seed, 2000));
  assert.deepEqual(blend(vectors, cornerWeights(1, 0), 2000), vectors[1]);
  const middle = blend(vectors, cornerWeights(0.5, 0.5), 2000);
  const variance = middle.reduce((sum, value) => sum + value * value, 0) / middle.length;
  assert.ok(variance > 0.9 && variance < 1.1, `${variance}`);
});

test("classes mix by weight and are not scaled", () => {
  const vectors = [0, 1, 2, 3].map((corner) => Float32Array.from([1, corner === 0 ? 1 : 0, corner === 0 ? 0 : 1]));
  const [, first, second] = blend(vectors, cornerWeights(0.5, 0.5), 1);
  assert.deepEqual([first, second], [0.25, 0.75]);
});

test("percentiles are those of the nearest rank", () => {
  assert.deepEqual([0.5, 0.9, 1].map((share) => percentile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], share)), [5, 9, 10]);
});
