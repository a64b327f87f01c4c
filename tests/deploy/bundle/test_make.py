import hashlib
import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from deploy.bundle import schema, sheet
from deploy.bundle.drawing import encode, latents, to_pixels, unwire
from deploy.bundle.files import JAVASCRIPT, LATENTS, REQUIRED, SIGNATURE, SUMS
from deploy.bundle.make import GOLDEN, BundleContents, make
from deploy.errors import PocketganError

Bundles = Callable[[str, int, int], dict[str, bytes]]
Orders = Callable[..., BundleContents]
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def test_a_bundle_has_every_file_and_no_other(parts: dict[str, bytes], order_of: Orders) -> None:
    assert set(parts) == {*REQUIRED, LATENTS, JAVASCRIPT}
    assert set(make(order_of(), KEY)) == {*parts, SIGNATURE}
    assert all(parts.values())


def test_the_same_order_gives_the_same_bytes(parts: dict[str, bytes], order_of: Orders) -> None:
    assert make(order_of()) == parts
    signed = make(order_of(), KEY)
    assert signed == make(order_of(), KEY)
    KEY.public_key().verify(signed[SIGNATURE], parts[SUMS])


def test_generator_is_byte_for_byte_the_file_ordered(
    parts: dict[str, bytes], order_of: Orders, model: schema.Model
) -> None:
    content = order_of().content
    assert parts["generator.tflite"] == content
    assert model.file.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("dtype", "classes", "channels"),
    [("int8", 3, 1), ("int8", 0, 3), ("int16", 3, 1), ("float32", 3, 3)],
)
def test_golden_files_hold_latents_of_seeds_classes_in_turn_inputs_and_outputs(
    dtype: str, classes: int, channels: int, bundle_of: Bundles
) -> None:
    contents = bundle_of(dtype, classes, channels)
    model = schema.loads(contents["model.json"])
    pictures = unwire(contents["golden/latents.f32"], "float32", (GOLDEN, model.latent.width))
    in_turn = [seed % 3 for seed in range(GOLDEN)]
    assert pictures.tolist() == latents(model.latent, range(GOLDEN), in_turn).tolist()
    taken = unwire(contents["golden/inputs.bin"], dtype, pictures.shape)
    assert taken.tolist() == encode(pictures, model.input).tolist()
    for name in ("golden/outputs.bin", "golden/plain.bin"):
        outputs = unwire(contents[name], dtype, (GOLDEN, 6, 6, channels))
        assert len({picture.tobytes() for picture in outputs}) == GOLDEN


def test_sheet_shows_a_row_a_class_of_the_same_latents(order_of: Orders) -> None:
    contents = make(order_of(class_names=("", "", "")))
    model = schema.loads(contents["model.json"])
    labels = np.asarray(Image.open(io.BytesIO(contents["contact_sheet.png"])))
    outputs = unwire(contents["golden/outputs.bin"], "int8", (GOLDEN, 6, 6, 1))
    golden = to_pixels(outputs, model.output, model.pixels)
    for place in range(3):  # golden picture i is of seed i and class i: the sheet's diagonal
        left = labels.shape[1] - sheet.MARGIN - (8 - place) * 62 + 2
        top = sheet.MARGIN + place * 62
        assert (labels[top : top + 60 : 10, left : left + 60 : 10] == golden[place]).all()


def test_sheet_of_very_many_classes_shows_the_first(order_of: Orders) -> None:
    contents = make(order_of(classes=40))
    labels = Image.open(io.BytesIO(contents["contact_sheet.png"]))
    assert labels.height == 2 * sheet.MARGIN + sheet.MOST_ROWS * 62 - sheet.GAP
    assert "each row is a class (the first 32)" in contents["CARD.md"].decode()


def test_a_generator_that_takes_other_latents_is_refused(order_of: Orders) -> None:
    other = replace(order_of(), reads=schema.Latent(length=9, classes=0, class_names=()))
    with pytest.raises(PocketganError, match=r"the file does not run: .*Dimension"):
        make(other)


def test_neither_grey_nor_colour_is_refused(order_of: Orders) -> None:
    with pytest.raises(PocketganError, match="draws 2 channels"):
        make(order_of(channels=2))
