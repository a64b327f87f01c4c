"""The JavaScript code in Node.js, with a stand-in for LiteRT.js that answers by a table.

What is tested is what the code does itself: from a seed or a picture to the bytes it feeds, and
from the bytes it reads to pixels.
"""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.bundle import schema
from deploy.bundle.drawing import to_pixels, unwire
from deploy.bundle.make import GOLDEN
from tests.deploy.bundle.recorded_tiles import (
    SIZES,
    TILED,
    golden_table,
    lay_out,
    photo_of,
    record,
    rgba,
)

Put = Callable[[dict[str, bytes], Path], Path]

STAND_IN = """
import {readFileSync, writeFileSync} from 'node:fs';
import {Generator} from './code/generator.mjs';
const model = JSON.parse(readFileSync('model.json', 'utf8'));
const table = readFileSync('table.bin');
const WIDTHS = {int8: 1, int16: 2, float32: 4};
const bytes = ({shape, dtype}) => shape.reduce((a, b) => a * b) * WIDTHS[dtype];
const [taken, given] = [bytes(model.input), bytes(model.output)];
const HEAPU8 = new Uint8Array(taken + given + 1e6);
const buffer = (start, size) => ({
  lock: () => start, unlock() {}, delete() {}, packedSize: () => size, bytes: () => size});
const wasm = {
  HEAPU8, _malloc: () => taken + given, _free() {},
  loadModel: () => ({getInputTensorType: () => buffer(0, taken), delete() {}}),
  LiteRtTensorBufferLockMode: {}, LiteRtTensorBufferType: {},
  LiteRtTensorBuffer: {createManaged: () => buffer(0, taken)},
  compileModel: async () => ({delete() {}, run: async () => {
    const asked = Buffer.from(HEAPU8.subarray(0, taken));
    for (let at = 0; at < table.length; at += taken + given) {
      if (!asked.equals(table.subarray(at, at + taken))) continue;
      HEAPU8.set(table.subarray(at + taken, at + taken + given), taken);
      return [buffer(taken, given)];
    }
    throw new Error('an input that is not in the table');
  }}),
};
const runtime = {liteRtWasm: wasm, getDefaultEnvironment: () => ({})};
const generator = await Generator.load(runtime, readFileSync('generator.tflite'), model);
"""
DRAW = """
for (let seed = 0; seed < model.golden.count; seed++) {
  const drawn = await generator.draw(generator.latent(BigInt(seed), seed % 3));
  writeFileSync(`${seed}.drawn`, drawn.data);
}
try { generator.latent(1n, 3); } catch (error) { console.log(error.name, error.message); }
const [from, to] = [generator.latent(1n), generator.latent(2n)];
const ends = [0, 1].map((share) => generator.walk(from, to, share));
const apart = (a, b) => Math.max(...a.map((value, k) => Math.abs(value - b[k])));
console.log(apart(ends[0], from) < 1e-6 && apart(ends[1], to) < 1e-6 ? 'close' : 'far');
generator.close();
"""
FILTER = """
for (const {name, width, height, masked} of JSON.parse(process.argv[2])) {
  const picture = {width, height, data: readFileSync(`${name}.rgba`)};
  const mask = masked ? readFileSync(`${name}.mask`) : undefined;
  const shares = [];
  const drawn = await generator.filter(picture, {mask, progress: (share) => shares.push(share)});
  writeFileSync(`${name}.drawn`, drawn.data);
  console.log(drawn.width, drawn.height, shares.length, shares.at(-1));
}
// A timer of the page stops it: between tiles it is heard.
const stop = new AbortController();
const picture = {width: 61, height: 39, data: readFileSync('3.rgba')};
const progress = () => { for (const end = Date.now() + 50; Date.now() < end;); tiles += 1; };
let tiles = 0;
setTimeout(() => stop.abort());
try {
  await generator.filter(picture, {mask: readFileSync('3.mask'), progress, signal: stop.signal});
} catch (error) { console.log(error.name, tiles); }
generator.close();
"""


def _run(folder: Path, program: str, *arguments: str) -> list[str]:
    """The lines that a program says beside the code as a module."""
    if shutil.which("node") is None:
        pytest.skip("there is no Node.js")
    shutil.copy(folder / "code/generator.js", folder / "code/generator.mjs")
    (folder / "main.mjs").write_text(program)
    command = ["node", "main.mjs", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("kind", [("int8", 3, 1), ("int16", 3, 1), ("float32", 3, 3)])
def test_javascript_feeds_the_golden_latents_and_reads_the_golden_pictures(
    kind: tuple[str, int, int], bundle_of: Callable[..., dict[str, bytes]], put: Put, tmp_path: Path
) -> None:
    contents = bundle_of(*kind)
    folder, model = put(contents, tmp_path), schema.loads(contents["model.json"])
    (folder / "table.bin").write_bytes(golden_table(contents))
    assert _run(folder, STAND_IN + DRAW) == ["RangeError there is no class 3", "close"]
    shape = (GOLDEN, *model.output.shape[1:])
    outputs = unwire(contents["golden/outputs.bin"], model.output.dtype, shape)
    for seed, picture in enumerate(to_pixels(outputs, model.output, model.pixels)):
        assert (folder / f"{seed}.drawn").read_bytes() == rgba(picture).tobytes()


@pytest.mark.parametrize("kind", TILED)
def test_javascript_draws_what_python_draws(
    kind: str, picture_bundle_of: Callable[[str], dict[str, bytes]], put: Put, tmp_path: Path
) -> None:
    folder = put(picture_bundle_of(kind), tmp_path)
    photos = [photo_of(kind, size) for size in SIZES]
    drawn = record(folder, photos)
    command = json.dumps(lay_out(folder, kind, photos))
    *lines, aborted = _run(folder, STAND_IN + FILTER, command)
    assert aborted == "AbortError 1"
    for number, (picture, line) in enumerate(zip(drawn, lines, strict=True)):
        assert (folder / f"{number}.drawn").read_bytes() == rgba(picture).tobytes()
        width, height, tiles, last = line.split()
        assert (int(height), int(width)) == picture.shape[:2]
        assert int(tiles) >= 1
        assert last == "1"
