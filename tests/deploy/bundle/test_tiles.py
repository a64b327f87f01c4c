"""Large pictures in tiles: Python's routine against the whole picture, other languages against it.

Where there is a runtime it draws; elsewhere a stand-in answers each stored input with the output
that Python's run of the same file was given, and refuses any other input.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy.bundle import schema
from deploy.bundle.drawing import to_pixels, unwire
from deploy.bundle.make import GOLDEN
from tests.deploy.bundle.picture_kinds import PICTURES
from tests.deploy.bundle.recorded_tiles import (
    SIZES,
    TILED,
    generator_of,
    photo_of,
)

Bundles = Callable[[str], dict[str, bytes]]
Put = Callable[[dict[str, bytes], Path], Path]


@pytest.fixture(params=TILED)
def tiled(
    request: pytest.FixtureRequest, picture_bundle_of: Bundles, put: Put, tmp_path: Path
) -> tuple[str, Path]:
    """A kind of generator that reads pictures of any size, and its bundle."""
    return request.param, put(picture_bundle_of(request.param), tmp_path / "bundle")


def _whole(folder: Path, photo: np.ndarray) -> np.ndarray:
    """The photo through the same network, at its own size."""
    generator = generator_of(folder)
    index = generator.net.get_input_details()[0]["index"]
    generator.net.resize_tensor_input(index, [1, *photo.shape])
    generator.net.allocate_tensors()
    drawn: np.ndarray = generator.draw(photo)
    return drawn


def test_python_draws_the_golden_outputs_from_the_golden_pictures(
    picture_kind: str, picture_bundle_of: Bundles, put: Put, tmp_path: Path
) -> None:
    contents = picture_bundle_of(picture_kind)
    model, generator = schema.loads(contents["model.json"]), generator_of(put(contents, tmp_path))
    names = [model.golden.pictures, model.golden.masks]
    parts = [np.asarray(Image.open(tmp_path / name)) for name in names if name]
    golden = np.dstack(parts).reshape(GOLDEN, *model.input.shape[1:])
    shape = (GOLDEN, *model.output.shape[1:])
    outputs = unwire(contents["golden/outputs.bin"], model.output.dtype, shape)
    pixels = to_pixels(outputs, model.output, model.pixels)
    assert [generator.draw(picture).tolist() for picture in golden] == pixels.tolist()


def test_what_a_mask_hides_is_not_seen(
    picture_bundle_of: Bundles, put: Put, tmp_path: Path
) -> None:
    generator = generator_of(put(picture_bundle_of("masked"), tmp_path))
    photo = photo_of("masked", (39, 61))
    other = photo.copy()
    other[photo[..., -1] == 255, :3] = 7
    assert (other != photo).any()
    assert generator.filter(other).tolist() == generator.filter(photo).tolist()


@pytest.mark.parametrize("size", SIZES[2:])
@pytest.mark.parametrize("kind", ["twice as large", "masked", "float"])
def test_tiles_are_the_whole_picture(
    kind: str, size: tuple[int, int], picture_bundle_of: Bundles, put: Put, tmp_path: Path
) -> None:
    folder = put(picture_bundle_of(kind), tmp_path)
    photo = photo_of(kind, size)
    apart = np.abs(generator_of(folder).filter(photo).astype(int) - _whole(folder, photo))
    assert apart.max() <= (1 if kind == "float" else 0)


def test_a_margin_that_is_a_pixel_less_leaves_a_seam(
    picture_bundle_of: Bundles, put: Put, tmp_path: Path
) -> None:
    folder = put(picture_bundle_of("twice as large"), tmp_path)
    photo = photo_of("twice as large", (39, 61))
    source = folder / "code/generator.py"
    source.write_text(
        source.read_text().replace(
            "SCALE, MULTIPLE, MARGIN = 2, 1, 2", "SCALE, MULTIPLE, MARGIN = 2, 1, 1"
        )
    )
    apart = np.abs(generator_of(folder).filter(photo).astype(int) - _whole(folder, photo))
    assert apart.max() > 1


def test_a_small_picture_is_drawn_with_its_last_pixels_going_on(tiled: tuple[str, Path]) -> None:
    kind, folder = tiled
    photo = photo_of(kind, (5, 7))
    padded = np.pad(photo, ((0, 11), (0, 5), (0, 0)), mode="edge")
    generator, scale = generator_of(folder), PICTURES[kind].scale
    drawn = generator.draw(padded)[: 5 * scale, : 7 * scale]
    assert generator.filter(photo).tolist() == drawn.tolist()


def test_progress_rises_to_1_and_false_ends_it(tiled: tuple[str, Path]) -> None:
    kind, folder = tiled
    generator = generator_of(folder)
    shares: list[float] = []
    assert generator.filter(photo_of(kind, (39, 61)), shares.append) is not None
    assert shares == sorted(set(shares))
    assert shares[-1] == 1
    assert len(shares) > 10
    calls: list[float] = []

    def stop(share: float) -> bool:
        calls.append(share)
        return len(calls) < 3

    assert generator.filter(photo_of(kind, (39, 61)), stop) is None
    assert len(calls) == 3


def test_blended_tiles_leave_no_step(picture_bundle_of: Bundles, put: Put, tmp_path: Path) -> None:
    """Tiles of one level each, 0 and 255 in turn: across an overlap of 6 no step is large."""
    generator = generator_of(put(picture_bundle_of("blended"), tmp_path))
    levels = iter([0, 255] * 100)
    generator.draw = lambda _: np.full((16, 12, 3), next(levels), np.uint8)
    drawn = generator.filter(np.zeros((16, 61, 1), np.uint8)).astype(int)
    assert (drawn.min(), drawn.max()) == (0, 255)
    assert np.abs(np.diff(drawn, axis=1)).max() <= 255 / 6 + 1


# ---------------------------------------------------------------------- other languages


def _pnm(levels: np.ndarray) -> bytes:
    height, width, channels = levels.shape
    return b"P%d %d %d 255\n" % (5 if channels == 1 else 6, width, height) + levels.tobytes()


def test_cpp_draws_what_python_draws_without_xnnpack(
    tiled: tuple[str, Path], compiled: Callable[[Path], Path]
) -> None:
    kind, folder = tiled
    program, generator = compiled(folder), generator_of(folder, plain=True)
    colours = PICTURES[kind].colours
    for size in SIZES:
        photo = photo_of(kind, size)
        (folder / "photo").write_bytes(_pnm(photo[..., :colours]))
        (folder / "mask").write_bytes(_pnm(photo[..., -1:]))
        names = ["photo", "mask"] if PICTURES[kind].mask else ["photo"]
        command = [str(program), "generator.tflite", *names]
        done = subprocess.run(command, cwd=folder, capture_output=True)
        assert done.returncode == 0, done.stderr
        apart = np.frombuffer(done.stdout.split(b" 255\n", 1)[1], np.uint8).astype(int)
        apart -= generator.filter(photo).ravel()
        assert np.abs(apart).max() <= (1 if PICTURES[kind].dtype == "float32" else 0)
        assert done.stderr.endswith(b"\r100 %")


def test_cpp_draws_the_golden_outputs(
    picture_kind: str,
    picture_bundle_of: Bundles,
    put: Put,
    tmp_path: Path,
    compiled: Callable[[Path], Path],
) -> None:
    folder = put(picture_bundle_of(picture_kind), tmp_path)
    with (folder / "golden/inputs.bin").open("rb") as inputs:
        command = [str(compiled(folder)), "generator.tflite"]
        done = subprocess.run(command, stdin=inputs, cwd=folder, capture_output=True, check=True)
    model = schema.loads((folder / "model.json").read_bytes())
    plain = (folder / "golden/plain.bin").read_bytes()
    drawn, golden = (np.frombuffer(it, model.output.dtype) for it in (done.stdout, plain))
    assert np.abs(drawn.astype(float) - golden).max() <= (0 if model.output.scale else 1e-5)


def test_cpp_refuses_what_is_no_picture(
    picture_bundle_of: Bundles, put: Put, tmp_path: Path, compiled: Callable[[Path], Path]
) -> None:
    folder = put(picture_bundle_of("twice as large"), tmp_path)
    command = [str(compiled(folder)), "generator.tflite", "photo.ppm"]
    for content in (b"", b"P5 1 1 255\n1", b"P6 9 9 255\nx", b"P6 0 0 255\n"):
        (folder / "photo.ppm").write_bytes(content)
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (1, "")
        assert "photo.ppm is no binary PPM" in done.stderr


def test_swift_holds_the_numbers_of_model_json(
    picture_kind: str, picture_bundle_of: Bundles
) -> None:
    contents = picture_bundle_of(picture_kind)
    source, model = contents["code/Generator.swift"].decode(), schema.loads(contents["model.json"])
    assert model.picture is not None
    for number in (model.input.scale, model.output.scale):
        assert not number or repr(number) in source
    tiles = model.picture.tiles
    if tiles:
        assert f"multiple = {tiles.multiple}, margin = {tiles.margin}" in source
    assert ("func filter(" in source) == (tiles is not None)
    for opened, closed in ("{}", "()", "[]"):
        assert source.count(opened) == source.count(closed)
    assert "{{" not in source
    assert "{%" not in source
