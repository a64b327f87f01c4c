import contextlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.bundle import files
from deploy.bundle import verify as module
from deploy.bundle.make import BundleContents, make
from deploy.bundle.verify import verify
from deploy.errors import PocketganError
from deploy.jobs import weigh

Bundles = Callable[[str, int, int], dict[str, bytes]]
Orders = Callable[..., BundleContents]
Put = Callable[[dict[str, bytes], Path], Path]

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))).public_key()
CHANGES = 500


@pytest.fixture
def again(put: Put, tmp_path: Path, parts: dict[str, bytes]) -> Callable[..., module.BundleCheck]:
    """A function that changes files, makes the checksums right again, and verifies the folder."""

    def look(**changed: bytes) -> module.BundleCheck:
        names = {name.replace("/", "_").replace(".", "_"): name for name in parts}
        contents = {**parts, **{names[name]: content for name, content in changed.items()}}
        contents[files.SUMS] = files.checksums(contents)
        return verify(put(contents, tmp_path / "again"))

    return look


@pytest.mark.parametrize(
    "kind", [("int8", 3, 1), ("int8", 0, 3), ("int16", 3, 1), ("float32", 3, 3)]
)
def test_a_bundle_is_sound_as_folder_and_as_zip(
    kind: tuple[str, int, int], bundle_of: Bundles, put: Put, tmp_path: Path
) -> None:
    contents = bundle_of(*kind)
    packed = tmp_path / "bundle.zip"
    packed.write_bytes(files.pack(contents))
    for path in (put(contents, tmp_path / "bundle"), packed):
        verdict = verify(path)
        assert verdict.problems == ()
        assert verdict.likeness is not None
        assert verdict.likeness.words == "equal, bit by bit"
        assert not verdict.signed


# ---------------------------------------------------------------------- a changed byte anywhere


def _changes(sizes: dict[str, int], count: int) -> list[tuple[str, int, int]]:
    """File, place and what to add to the byte: as many in each file as in every other."""
    dice = random.Random(7)
    names = [name for name in sizes for _ in range(-(-count // len(sizes)))]
    return [(name, dice.randrange(sizes[name]), dice.randrange(1, 256)) for name in names]


def test_verify_finds_a_changed_byte_in_any_file(
    order_of: Orders, put: Put, tmp_path: Path
) -> None:
    contents = make(order_of(), KEY)
    folder = put(contents, tmp_path / "bundle")
    assert verify(folder, PUBLIC).problems == ()
    changes = _changes({name: len(content) for name, content in contents.items()}, CHANGES)
    assert len(changes) >= CHANGES
    for name, place, added in changes:
        changed = bytearray(contents[name])
        changed[place] = (changed[place] + added) % 256
        (folder / name).write_bytes(changed)
        answer = verify(folder, PUBLIC).problems
        assert answer, f"{name}, byte {place}, plus {added}: not found"
        assert any(name.removesuffix(".sig") in problem for problem in answer)
        (folder / name).write_bytes(contents[name])
    assert verify(folder, PUBLIC).problems == ()


def test_verify_finds_a_changed_byte_anywhere_in_the_zip(
    parts: dict[str, bytes], tmp_path: Path
) -> None:
    packed = files.pack(parts)
    path = tmp_path / "bundle.zip"
    edges = [*range(60), *range(len(packed) - 1500, len(packed))]  # headers and directory
    dice = random.Random(8)
    places = [*edges, *(dice.randrange(len(packed)) for _ in range(CHANGES))]
    for place in places:
        changed = bytearray(packed)
        changed[place] = (changed[place] + dice.randrange(1, 256)) % 256
        path.write_bytes(changed)
        with contextlib.suppress(PocketganError):
            assert verify(path).problems, f"byte {place}: not found"


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_cut_zip_is_told(share: float, parts: dict[str, bytes], tmp_path: Path) -> None:
    packed = files.pack(parts)
    path = tmp_path / "cut.zip"
    path.write_bytes(packed[: int(share * len(packed))])
    with pytest.raises(PocketganError, match="is damaged or no zip"):
        verify(path)


def test_bytes_before_or_behind_the_zip_are_found(parts: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    for packed in (b"x" + files.pack(parts), files.pack(parts) + b"x"):
        path.write_bytes(packed)
        with contextlib.suppress(PocketganError):
            assert verify(path).problems


@pytest.mark.parametrize("name", [*files.REQUIRED, files.LATENTS, files.JAVASCRIPT])
def test_each_missing_file_is_named(name: str, unpacked: Path) -> None:
    (unpacked / name).unlink()
    assert any(f"{name} is missing" in problem for problem in verify(unpacked).problems)


def test_an_extra_file_is_named(unpacked: Path) -> None:
    (unpacked / "extra.txt").write_text("x")
    assert verify(unpacked).problems == ("extra.txt belongs to no bundle",)


def test_what_holds_no_bundle_is_told(tmp_path: Path) -> None:
    with pytest.raises(PocketganError, match="holds no bundle"):
        verify(tmp_path)


# ---------------------------------------------------------------------- right sums, wrong contents


def _edited(parts: dict[str, bytes], **changed: Any) -> bytes:
    answer = json.loads(parts["model.json"])
    for place, value in changed.items():
        section, _, key = place.partition("__")
        answer[section] = {**answer[section], key: value} if key else value
    return json.dumps(answer).encode()


WRONG = {
    "input__name": ("z", "input.name is z, generator.tflite has latent"),
    "output__name": ("z", "output.name is z, generator.tflite has image"),
    "output__shape": (
        [1, 4, 9, 1],
        "output.shape is (1, 4, 9, 1), generator.tflite has (1, 6, 6, 1)",
    ),
    "output__scale": (0.5, "output.scale is 0.5"),
    "output__zero_point": (7, "output.zero_point is 7"),
    "output__dtype": ("int16", "golden/outputs.bin does not hold int16"),
    "input__scale": (0.5, "golden/inputs.bin is not golden/latents.f32 by input.scale"),
    "file__bytes": (1, "file.bytes is 1"),
    "file__bytes_gzip": (99, "file.bytes_gzip is 99, here it is"),
    "file__bytes_zstd": (99, "file.bytes_zstd is 99, here it is"),
    "gallery": ("gallery.html", "gallery.html is missing"),
    "file__sha256": ("0" * 64, "file.sha256 is that of another file"),
    "golden__count": (7, "golden/inputs.bin does not hold int8 [7, 11]"),
    "version": (3, "model.json: version"),
}


@pytest.mark.parametrize("place", WRONG)
def test_model_json_that_does_not_fit_is_found(
    place: str, again: Callable[..., module.BundleCheck], parts: dict[str, bytes]
) -> None:
    value, answer = WRONG[place]
    problems = again(model_json=_edited(parts, **{place: value})).problems
    assert any(answer in problem for problem in problems), problems


def test_a_generator_that_does_not_run_is_found(
    again: Callable[..., module.BundleCheck], parts: dict[str, bytes]
) -> None:
    cut = parts["generator.tflite"][:500]
    changed = _edited(parts, file={"path": "generator.tflite", **weigh(cut)})
    (problem,) = again(generator_tflite=cut, model_json=changed).problems
    assert "the file does not run" in problem


def test_an_empty_code_file_and_a_sheet_that_is_no_png_are_found(
    again: Callable[..., module.BundleCheck],
) -> None:
    problems = again(code_Generator_kt=b"", contact_sheet_png=b"GIF89a").problems
    assert problems == ("code/Generator.kt is empty", "contact_sheet.png is no PNG")


# ---------------------------------------------------------------------- golden outputs


def _moved(content: bytes, steps: int, values: int = 1) -> bytes:
    moved = np.frombuffer(content, np.int8).copy()
    inner = np.flatnonzero(np.abs(moved) < 64)[:values]
    moved[inner] += steps
    return moved.tobytes()


def test_outputs_a_few_steps_apart_are_told_and_allowed(
    again: Callable[..., module.BundleCheck], parts: dict[str, bytes]
) -> None:
    verdict = again(
        golden_outputs_bin=_moved(parts["golden/outputs.bin"], 3, 5),
        golden_plain_bin=_moved(parts["golden/plain.bin"], 8, 5),
    )
    assert verdict.problems == ()
    assert verdict.likeness is not None
    assert verdict.likeness.words == "3 steps apart at most, in 5 of 288 values"


def test_outputs_equal_to_those_without_xnnpack_are_told(
    again: Callable[..., module.BundleCheck], parts: dict[str, bytes]
) -> None:
    verdict = again(
        golden_outputs_bin=_moved(parts["golden/outputs.bin"], 20),
        golden_plain_bin=parts["golden/outputs.bin"],
    )
    assert verdict.problems == ()
    assert verdict.likeness is not None
    assert verdict.likeness.words == "equal, bit by bit, to plain.bin"


def test_outputs_farther_apart_are_a_problem(
    again: Callable[..., module.BundleCheck], parts: dict[str, bytes]
) -> None:
    far = _moved(parts["golden/outputs.bin"], 9)
    (problem,) = again(golden_outputs_bin=far, golden_plain_bin=far).problems
    assert "draws otherwise here: 9 steps apart at most, in 1 of 288 values" in problem
    assert "(8 steps are allowed)" in problem


def test_float_outputs_may_differ_by_less_than_a_level_of_grey(
    bundle_of: Bundles, put: Put, tmp_path: Path
) -> None:
    for added, sound in ((1e-6, True), (0.007, True), (0.009, False), (float("nan"), False)):
        contents = dict(bundle_of("float32", 3, 3))
        for name in ("golden/outputs.bin", "golden/plain.bin"):
            moved = np.frombuffer(contents[name], np.float32).copy()
            moved[5] += added
            contents[name] = moved.tobytes()
        contents[files.SUMS] = files.checksums(contents)
        verdict = verify(put(contents, tmp_path / "float"))
        assert (not verdict.problems) == sound, (added, verdict)


# ---------------------------------------------------------------------- signatures


def test_a_signature_is_checked_with_a_key_and_told_without(
    order_of: Orders, put: Put, tmp_path: Path
) -> None:
    folder = put(make(order_of(), KEY), tmp_path / "signed")
    good, unchecked = verify(folder, PUBLIC), verify(folder)
    assert (good.problems, good.signed, good.signature_checked) == ((), True, True)
    assert (unchecked.problems, unchecked.signed, unchecked.signature_checked) == ((), True, False)
    assert verify(folder, OTHER).problems == (
        "SHA256SUMS.sig is not this key's signature of SHA256SUMS",
    )


def test_a_bundle_forged_with_right_sums_is_found_by_the_key(
    order_of: Orders, put: Put, tmp_path: Path
) -> None:
    forged = {**make(order_of(), KEY), "CARD.md": b"# Trust me\n"}
    forged[files.SUMS] = files.checksums(forged)
    folder = put(forged, tmp_path / "forged")
    assert verify(folder).problems == ()
    assert verify(folder, PUBLIC).problems != ()


def test_a_missing_or_cut_signature_is_found(parts: dict[str, bytes], unpacked: Path) -> None:
    assert verify(unpacked, PUBLIC).problems == (
        "SHA256SUMS.sig is missing: the bundle is not signed",
    )
    (unpacked / files.SIGNATURE).write_bytes(b"short")
    assert "which has 64 bytes" in verify(unpacked).problems[0]
