"""Bundles of generators that read pictures: what is in them, and what verify finds."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy.bundle import files, schema, sheet
from deploy.bundle import verify as module
from deploy.bundle.drawing import stored_pictures, to_pixels, unwire
from deploy.bundle.make import GOLDEN, BundleContents, make
from deploy.bundle.verify import verify
from deploy.errors import PocketganError

Bundles = Callable[[str], dict[str, bytes]]
Orders = Callable[[str], BundleContents]
Put = Callable[[dict[str, bytes], Path], Path]


def test_a_bundle_is_sound_and_has_the_files_of_its_kind(
    picture_kind: str, picture_bundle_of: Bundles, put: Put, tmp_path: Path
) -> None:
    contents = picture_bundle_of(picture_kind)
    verdict = verify(put(contents, tmp_path / "bundle"))
    assert verdict.problems == ()
    assert verdict.likeness is not None
    assert verdict.likeness.words == "equal, bit by bit"
    masks = {files.MASKS} if picture_kind == "masked" else set()
    assert set(contents) == {*files.REQUIRED, files.JAVASCRIPT, files.PICTURES} | masks
    assert verdict.covered == len(contents) - 1


def test_the_same_order_gives_the_same_bytes(
    picture_order_of: Orders, picture_bundle_of: Bundles
) -> None:
    assert make(picture_order_of("masked")) == picture_bundle_of("masked")


def test_model_json_says_how_pictures_are_read_and_survives(
    picture_kind: str, picture_bundle_of: Bundles
) -> None:
    content = picture_bundle_of(picture_kind)["model.json"]
    model = schema.loads(content)
    assert schema.dumps(model) == content
    assert (model.latent, model.seeding, model.golden.latents) == (None, None, None)
    assert model.picture is not None
    expected = {
        "twice as large": schema.Tiles(scale=2, multiple=1, margin=2, seamless=True),
        "blended": schema.Tiles(scale=1, multiple=1, margin=3, seamless=False),
        "masked": schema.Tiles(scale=1, multiple=1, margin=2, seamless=True),
        "float": schema.Tiles(scale=1, multiple=1, margin=2, seamless=True),
        "smaller": None,
    }
    assert model.picture.tiles == expected[picture_kind]


def test_golden_inputs_are_the_pictures_and_their_masks(
    picture_kind: str, picture_order_of: Orders, picture_bundle_of: Bundles
) -> None:
    contents = picture_bundle_of(picture_kind)
    model, examples = schema.loads(contents["model.json"]), picture_order_of(picture_kind).examples
    assert model.picture is not None
    names = [files.PICTURES, files.MASKS] if model.picture.mask else [files.PICTURES]
    columns = [np.asarray(Image.open(io.BytesIO(contents[name]))) for name in names]
    golden = np.dstack(columns).reshape(GOLDEN, *examples.shape[1:])
    assert golden.tolist() == examples[:GOLDEN].tolist()
    real = golden / 255 * 2 - 1
    taken = unwire(contents["golden/inputs.bin"], model.input.dtype, golden.shape).astype(float)
    step = model.input.scale or 1e-6
    values = (taken - model.input.zero_point) * (model.input.scale or 1)
    assert np.abs(values - real).max() <= 0.51 * step


def test_levels_become_numbers_in_double_precision() -> None:
    picture = schema.PictureInput(low=-1, high=1, channels="grey", tiles=None)
    # 2/255 as float32: the numbers of the levels 127 and 128 lie a hair from half a step.
    tensor = schema.TensorSpec(
        name="x", dtype="int8", shape=(1, 1, 3, 1), scale=0.007843137718737125, zero_point=0
    )
    levels = np.array([0, 127, 128, 255], np.uint8)
    assert stored_pictures(levels, picture, tensor).tolist() == [-127, 0, 0, 127]


@pytest.mark.parametrize("low", [-1e308, -1.7e308])
def test_black_and_white_too_far_apart_for_a_number_warn_of_nothing(low: float) -> None:
    """A warning fails a test: of a stranger's bundle it would be printed among the problems."""
    picture = schema.PictureInput(low=low, high=1e308, channels="grey", tiles=None)
    tensor = schema.TensorSpec(name="x", dtype="int8", shape=(1, 1, 1, 1), scale=0.5)
    levels = np.array([0, 255], np.uint8)
    assert stored_pictures(levels, picture, tensor).shape == (2,)


def test_sheet_shows_inputs_above_what_became_of_them(
    picture_bundle_of: Bundles, picture_order_of: Orders
) -> None:
    contents = picture_bundle_of("twice as large")
    model = schema.loads(contents["model.json"])
    shown = np.asarray(Image.open(io.BytesIO(contents["contact_sheet.png"])))
    outputs = unwire(contents["golden/outputs.bin"], "int8", (GOLDEN, 32, 24, 3))
    golden = to_pixels(outputs, model.output, model.pixels)
    larger = picture_order_of("twice as large").examples.repeat(2, axis=1).repeat(2, axis=2)
    for column in range(GOLDEN):  # two rows, each pixel enlarged by 2
        left, top = sheet.MARGIN + column * (48 + sheet.GAP), sheet.MARGIN
        below = top + 64 + sheet.GAP
        assert (shown[top : top + 64 : 2, left : left + 48 : 2] == larger[column]).all()
        assert (shown[below : below + 64 : 2, left : left + 48 : 2] == golden[column]).all()


def test_of_large_pictures_there_are_fewer_golden_ones(
    picture_order_of: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.bundle.make.MOST_GOLDEN_BYTES", 3 * 16 * 12 * 3)
    contents = make(picture_order_of("masked"))
    assert schema.loads(contents["model.json"]).golden.count == 3
    assert Image.open(io.BytesIO(contents[files.MASKS])).size == (12, 3 * 16)


def test_pictures_of_another_size_are_refused(picture_order_of: Orders) -> None:
    order = picture_order_of("masked")
    with pytest.raises(PocketganError, match=r"reads \[16, 12, 4\], and the pictures .* \[11, 15"):
        make(replace(order, examples=order.examples[:, :15]))
    with pytest.raises(PocketganError, match=r"the pictures for it are \[0,"):
        make(replace(order, examples=order.examples[:0]))


# ---------------------------------------------------------------------- right sums, wrong contents


@pytest.fixture
def again(
    put: Put, tmp_path: Path, picture_bundle_of: Bundles
) -> Callable[..., module.BundleCheck]:
    """A function that changes files, makes the checksums right again, and verifies the folder."""

    def look(changed: dict[str, bytes | None]) -> module.BundleCheck:
        parts = {**picture_bundle_of("masked"), **changed}
        contents = {name: content for name, content in parts.items() if content is not None}
        contents[files.SUMS] = files.checksums(contents)
        return verify(put(contents, tmp_path / "again"))

    return look


def _png(size: tuple[int, int], mode: str = "RGB") -> bytes:
    written = io.BytesIO()
    Image.new(mode, size).save(written, "PNG")
    return written.getvalue()


WRONG: dict[str, tuple[str, bytes | None, str]] = {
    "no mask": (files.MASKS, None, "golden/masks.png is missing"),
    "no pictures": (files.PICTURES, None, "golden/pictures.png is missing"),
    "latents": (files.LATENTS, b"1234", "golden/latents.f32 belongs to no bundle of this kind"),
    "no JavaScript": (files.JAVASCRIPT, None, "code/generator.js is missing"),
    "empty code": (files.JAVASCRIPT, b"", "code/generator.js is empty"),
    "other pictures": (files.PICTURES, _png((12, 128)), "golden/inputs.bin is not golden/pictures"),
    "other size": (files.PICTURES, _png((12, 127)), "golden/pictures.png is no PNG of 8 pictures"),
    "other mode": (files.MASKS, _png((12, 128)), "golden/masks.png is no PNG of 8 pictures"),
    "bomb": (files.PICTURES, _png((30_000, 3_000), "1"), "golden/pictures.png is no PNG of 8"),
    "cut": (files.PICTURES, _png((12, 128))[:60], "golden/pictures.png is no PNG of 8 pictures"),
    "no picture": (files.PICTURES, b"GIF89a", "golden/pictures.png is no PNG of 8 pictures"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_found(name: str, again: Callable[..., module.BundleCheck]) -> None:
    path, content, answer = WRONG[name]
    problems = again({path: content}).problems
    assert any(answer in problem for problem in problems), problems


SPOILED = [
    ("latent", {"length": 3, "classes": 0, "class_names": []}, "either latent or picture"),
    ("picture", None, "either latent or picture"),
    ("picture.mask", False, "hidden is for pictures with a mask"),
    ("picture.channels", "grey", "do not fit input.shape"),
    ("picture.low", 1.0, "low must be below high"),
    ("picture.tiles.scale", 2, "picture.tiles.scale is not"),
    ("picture.tiles.margin", 6, "picture.tiles does not fit input.shape"),
    ("picture.tiles.multiple", 5, "picture.tiles does not fit input.shape"),
    ("picture.tiles.multiple", 3, "does not fit input.shape"),
    ("picture.hidden", None, "hidden is for pictures with a mask"),
    ("picture.hidden", 256, "picture.hidden"),
    ("golden.masks", None, "golden must name"),
    ("golden.pictures", "/etc/passwd", "golden.pictures"),
    ("seeding", "a seed", "seeding is for latents"),
    ("version", 1, "version 1 knows neither"),
]


@pytest.mark.parametrize(("place", "value", "answer"), SPOILED)
def test_a_wrong_field_is_named(
    place: str, value: object, answer: str, picture_bundle_of: Bundles
) -> None:
    spoiled = section = json.loads(picture_bundle_of("masked")["model.json"])
    *above, last = place.split(".")
    for key in above:
        section = section[key]
    section[last] = value
    with pytest.raises(PocketganError, match=r"model\.json: ") as raised:
        schema.loads(json.dumps(spoiled).encode())
    assert answer in str(raised.value)


def test_card_says_what_is_read_and_how_tiles_meet(
    picture_kind: str, picture_bundle_of: Bundles
) -> None:
    card = picture_bundle_of(picture_kind)["CARD.md"].decode()
    assert " of 12×16 ones" in card
    words = {
        "twice as large": "so that no seam is left",
        "blended": "they overlap by 6 pixels of the input and are blended there",
        "masked": "a mask of what is hidden",
        "float": "up to 2 pixels of the input away",
        "smaller": "no way to draw larger\npictures in tiles",
    }
    assert words[picture_kind] in card
    assert "Latents" not in card
    assert "seed" not in card.split("## Size")[1]
