"""The JavaScript code with LiteRT.js itself, in Node.js: bit by bit what LiteRT draws here."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deploy.bundle import schema
from deploy.bundle.drawing import to_pixels, unwire
from deploy.bundle.make import GOLDEN
from tests.deploy.bundle.recorded_tiles import lay_out, photo_of, record, rgba
from tools.litert_js import PACKAGE, VERSION, package_folder

Bundles = Callable[[str, int, int], dict[str, bytes]]
Put = Callable[[dict[str, bytes], Path], Path]

pytestmark = pytest.mark.slow

MAIN = """
// What LiteRT.js expects of a browser and Node.js lacks.
import {readFileSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import vm from 'node:vm';
const folder = `${process.cwd()}/node_modules/@litertjs/core/wasm`;
Object.assign(globalThis, {
  self: globalThis, require: createRequire(import.meta.url),
  __dirname: folder, __filename: `${folder}/main.js`,
  importScripts: (path) => vm.runInThisContext(readFileSync(path, 'utf8')),
});
globalThis.navigator ??= {};
const {loadLiteRt} = await import('@litertjs/core');
const {Generator} = await import('./code/generator.mjs');
const model = JSON.parse(readFileSync('model.json', 'utf8'));
const runtime = await loadLiteRt(`${folder}/`);
const generator = await Generator.load(runtime, readFileSync('generator.tflite'), model);
const inputs = readFileSync('golden/inputs.bin');
const size = inputs.length / model.golden.count, outputs = [];
for (let at = 0; at < inputs.length; at += size) {
  outputs.push(Buffer.from((await generator.run(inputs.subarray(at, at + size))).buffer));
}
writeFileSync('outputs.bin', Buffer.concat(outputs));
"""
LATENTS = """
const {class_names: names} = model.latent;
for (let seed = 0; seed < model.golden.count; seed++) {
  const drawn = await generator.draw(generator.latent(BigInt(seed), seed % names.length || 0));
  writeFileSync(`${seed}.drawn`, drawn.data);
}
const [a, b] = [generator.latent(1n), generator.latent(2n)];
const rms = (latent) => Math.hypot(...latent.slice(0, model.latent.length));
for (const share of [0, 0.5, 1]) console.log(rms(generator.walk(a, b, share)));
console.log(rms(a), rms(b));
const vector = Array.from({length: model.latent.length}, (_, k) => Number(k === 1));
const moved = generator.along(a, {vector}, 1.5);
if (moved[1] !== 1.5 || moved.some((each, k) => k !== 1 && each !== a[k])) throw new Error(moved);
"""
PICTURE = """
const picture = {width: 61, height: 39, data: readFileSync('0.rgba')};
writeFileSync('0.drawn', (await generator.filter(picture, {mask: readFileSync('0.mask')})).data);
"""


def _run(folder: Path, program: str) -> str:
    if shutil.which("node") is None or not package_folder().is_dir():
        pytest.skip("there is no Node.js, or no LiteRT.js: `python -m tools.litert_js` fetches it")
    (folder / "node_modules").symlink_to(package_folder() / "node_modules")
    shutil.copy(folder / "code/generator.js", folder / "code/generator.mjs")
    (folder / "main.mjs").write_text(program)
    done = subprocess.run(["node", "main.mjs"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _is_golden(folder: Path, model: schema.Model) -> None:
    drawn, golden = (
        np.frombuffer((folder / name).read_bytes(), model.output.dtype).astype(float)
        for name in ("outputs.bin", "golden/outputs.bin")
    )
    assert np.abs(drawn - golden).max() <= (0 if model.output.scale else 1e-5)


def test_header_names_the_version_that_is_tested(parts: dict[str, bytes]) -> None:
    assert f"{PACKAGE} {VERSION}" in parts["code/generator.js"].decode()


@pytest.mark.parametrize("kind", [("int8", 3, 1), ("int8", 0, 3), ("float32", 3, 3)])
def test_latents_draw_the_golden_outputs_and_walks_keep_the_length_of_the_prior(
    kind: tuple[str, int, int], bundle_of: Bundles, put: Put, tmp_path: Path
) -> None:
    contents = bundle_of(*kind)
    folder, model = put(contents, tmp_path), schema.loads(contents["model.json"])
    said = _run(folder, MAIN + LATENTS)
    _is_golden(folder, model)
    outputs = unwire(
        contents["golden/outputs.bin"], model.output.dtype, (GOLDEN, *model.output.shape[1:])
    )
    for seed, picture in enumerate(to_pixels(outputs, model.output, model.pixels)):
        assert (folder / f"{seed}.drawn").read_bytes() == rgba(picture).tobytes()
    start, middle, end, first, second = map(float, re.findall(r"\d+\.\d+", said)[-5:])
    assert (start, end) == pytest.approx((first, second), rel=1e-6)
    assert min(first, second) * 0.95 <= middle <= max(first, second) * 1.05


@pytest.mark.parametrize("kind", ["twice as large", "masked"])
def test_pictures_draw_the_golden_outputs_and_large_ones_what_python_draws(
    kind: str, picture_bundle_of: Callable[[str], dict[str, bytes]], put: Put, tmp_path: Path
) -> None:
    contents = picture_bundle_of(kind)
    folder = put(contents, tmp_path)
    photos = [photo_of(kind, (39, 61))]
    lay_out(folder, kind, photos)
    (drawn,) = record(folder, photos)
    _run(folder, MAIN + PICTURE)
    _is_golden(folder, schema.loads(contents["model.json"]))
    assert (folder / "0.drawn").read_bytes() == rgba(drawn).tobytes()
