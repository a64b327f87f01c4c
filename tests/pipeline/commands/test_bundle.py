import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.bundle.files import (
    GALLERY,
    GENERATOR,
    JAVASCRIPT,
    LATENTS,
    MODEL,
    REQUIRED,
    SIGNATURE,
    SUMS,
    checksums,
    read,
)
from deploy.bundle.verify import verify
from deploy.web.page import files_of
from pipeline.cli import main

Ask = Callable[..., tuple[int, str, str]]
ModelOf = Callable[[Path], dict[str, dict[str, object]]]
PEM = serialization.Encoding.PEM


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_bundle_of_a_finished_run_is_sound_as_folder_and_zip(
    tiny_runs: Path, tmp_path: Path, ask: Ask
) -> None:
    out = tmp_path / "given" / "bundle"
    code, answer, err = ask("bundle", "tiny", "--runs", tiny_runs, "--out", out)
    assert (code, err) == (0, "")
    assert str(out) in answer.replace("\n", "")
    assert set(_files(out)) == {*REQUIRED, LATENTS, JAVASCRIPT}
    packed = out.with_name("bundle.zip")
    with zipfile.ZipFile(packed) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == _files(out)
    for path in (out, packed):
        code, answer, err = ask("verify", path)
        assert (code, err) == (0, "")
        assert "equal, bit by bit" in answer
        assert "is sound" in answer
    assert sorted(path.name for path in out.parent.iterdir()) == ["bundle", "bundle.zip"]


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ("28x28", "reads no pictures, and --size is of pictures that are read"),
        *((size, "must be width x height") for size in ("", "0x0", "1e9x1", "28", "../..")),
    ],
)
def test_a_size_that_is_none_is_refused_before_anything_is_written(
    size: str, words: str, tiny_runs: Path, tmp_path: Path, ask: Ask
) -> None:
    out = tmp_path / "out"
    code, _, err = ask("bundle", "tiny", "--runs", tiny_runs, "--size", size, "--out", out)
    assert code == 2
    assert words in " ".join(err.split())
    assert not out.exists()


def test_bundle_goes_into_the_runs_folder_unless_told_where(tiny_copy: Path, ask: Ask) -> None:
    assert ask("bundle", tiny_copy / "tiny")[0] == 0
    assert verify(tiny_copy / "tiny" / "bundle").problems == ()
    assert verify(tiny_copy / "tiny" / "bundle.zip").problems == ()


def test_a_bundle_with_a_gallery_draws_with_its_own_file(
    tiny_runs: Path, tmp_path: Path, ask: Ask
) -> None:
    out = tmp_path / "bundle"
    assert ask("bundle", "tiny", "--runs", tiny_runs, "--out", out, "--gallery")[0] == 0
    assert verify(out).problems == ()
    page = (out / GALLERY).read_bytes()
    assert (out / GENERATOR).read_bytes() in files_of(page)
    contents, _ = read(out)
    other = page.replace(b'id="file-', b'id="no-file-')
    contents[GALLERY] = other
    (out / GALLERY).write_bytes(other)
    (out / SUMS).write_bytes(checksums(contents))
    assert verify(out).problems == (f"{GALLERY} does not draw with {GENERATOR}",)


@pytest.mark.parametrize(
    ("section", "changes"),
    [
        ("pixels", {"low": -0.5}),
        ("made", {"recipe": "another"}),
        ("made", {"seed": 99}),
        ("latent", {"length": 15, "classes": 1, "class_names": ["a"]}),
    ],
)
def test_verify_holds_model_json_against_what_the_file_says_of_itself(
    section: str, changes: dict[str, object], tiny_runs: Path, tmp_path: Path, ask: Ask
) -> None:
    out = tmp_path / "bundle"
    assert ask("bundle", "tiny", "--runs", tiny_runs, "--out", out)[0] == 0
    model = json.loads((out / MODEL).read_bytes())
    if section == "latent":
        changes["length"] = model["latent"]["length"] - 1
    model[section] |= changes
    (out / MODEL).write_text(json.dumps(model))
    (out / SUMS).write_bytes(checksums(read(out)[0]))
    code, _, err = ask("verify", out)
    assert code == 2
    name, value = next(iter(changes.items()))
    assert f"{section}.{name} is {value}, {GENERATOR} says" in " ".join(err.split())


@pytest.mark.parametrize("variant", ["float32", "dynamic-range", "int8-ptq", "int8", "int16x8"])
def test_bundle_of_any_variant_is_sound(
    variant: str, conditional_runs: Path, tmp_path: Path, ask: Ask, model_of: ModelOf
) -> None:
    out = tmp_path / "bundle"
    assert (
        ask("bundle", "told", "--runs", conditional_runs, "--variant", variant, "--out", out)[0]
        == 0
    )
    assert verify(out).problems == ()
    stored = (conditional_runs / "told" / "4-convert" / f"{variant}.tflite").read_bytes()
    assert (out / "generator.tflite").read_bytes() == stored
    answer = model_of(out)
    assert answer["variant"] == variant
    assert answer["latent"]["classes"] == 10


def test_one_run_gives_the_same_zip_byte_for_byte(
    tiny_runs: Path, tmp_path: Path, ask: Ask
) -> None:
    zips = []
    for name in ("a", "b"):
        out = tmp_path / name
        assert ask("bundle", "tiny", "--runs", tiny_runs, "--out", out)[0] == 0
        zips.append(out.with_suffix(".zip").read_bytes())
    assert zips[0] == zips[1]


@pytest.mark.slow
def test_the_same_recipe_trained_anew_gives_the_same_bytes_but_for_speed(
    tiny_recipe: Path, tiny_runs: Path, tmp_path: Path, ask: Ask
) -> None:
    anew = tmp_path / "runs"
    assert main(["run", str(tiny_recipe), "--runs", str(anew), "--quiet"]) == 0
    with_speed, without = [], []
    for runs in (tiny_runs, anew):
        out = tmp_path / f"of-{runs.name}"
        assert ask("bundle", "tiny", "--runs", runs, "--out", out)[0] == 0
        with_speed.append(_files(out))
        assert ask("bundle", "tiny", "--runs", runs, "--out", out, "--no-speed")[0] == 0
        without.append(out.with_name(f"{out.name}.zip").read_bytes())
    assert without[0] == without[1]
    differing = {name for name in with_speed[0] if with_speed[0][name] != with_speed[1][name]}
    assert differing <= {"model.json", "CARD.md", "SHA256SUMS"}


def test_bundle_needs_no_tensorflow_and_little_time(tiny_runs: Path, tmp_path: Path) -> None:
    """With TensorFlow it would take seconds: here an import of it is an error."""
    program = (
        "import sys; sys.modules.update(tensorflow=None, tf_keras=None);"
        "from pipeline.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    for command in (
        ["bundle", "tiny", "--runs", str(tiny_runs), "--out", str(tmp_path / "bundle")],
        ["verify", str(tmp_path / "bundle.zip")],
    ):
        started = time.monotonic()
        done = subprocess.run([sys.executable, "-c", program, *command], capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        assert time.monotonic() - started < 30  # 2 s on a quiet machine; CI may be a busy one


def test_json_is_one_document(tiny_runs: Path, tmp_path: Path, ask: Ask) -> None:
    out = tmp_path / "bundle"
    code, answer, err = ask("bundle", "tiny", "--runs", tiny_runs, "--out", out, "--json")
    assert (code, err) == (0, "")
    parts = json.loads(answer)
    assert parts["zip_bytes"] == (tmp_path / "bundle.zip").stat().st_size
    assert parts["model"]["name"] == "tiny"
    code, answer, err = ask("verify", out, "--json")
    assert (code, err) == (0, "")
    result = json.loads(answer)
    assert (result["sound"], result["problems"], result["golden"]["differing"]) == (True, [], 0)
    (out / "CARD.md").write_text("another")
    code, answer, err = ask("verify", out, "--json")
    assert (code, err) == (2, "")
    assert json.loads(answer)["problems"] == ["CARD.md was changed (or its line in SHA256SUMS)"]


# ---------------------------------------------------------------------- unfit runs


def test_an_unfinished_run_is_refused_and_nothing_is_written(
    unfinished: Path, tmp_path: Path, ask: Ask
) -> None:
    out = tmp_path / "bundle"
    code, answer, err = ask("bundle", "tiny", "--runs", unfinished, "--out", out)
    assert (code, answer) == (2, "")
    assert "is not finished: stage evaluate has not run (and 1 more)." in err
    assert "--force" in err
    assert not out.exists()
    assert not (tmp_path / "bundle.zip").exists()


def test_a_forced_unfinished_run_is_marked(
    unfinished: Path, tmp_path: Path, ask: Ask, model_of: ModelOf
) -> None:
    out = tmp_path / "bundle"
    code, answer, _ = ask("bundle", "tiny", "--runs", unfinished, "--out", out, "--force")
    assert code == 0
    assert "unfinished: stage evaluate has not run" in answer
    assert model_of(out)["made"]["unfinished"] == [
        "stage evaluate has not run",
        "stage report has not run",
    ]
    assert "From an unfinished run, bundled with `--force`" in (out / "CARD.md").read_text()
    code, answer, _ = ask("verify", out)
    assert code == 0
    assert "unfinished: stage evaluate has not run" in answer


def test_a_run_that_failed_gates_is_refused(failed: Path, tmp_path: Path, ask: Ask) -> None:
    out = tmp_path / "bundle"
    code, answer, err = ask("bundle", "tiny", "--runs", failed, "--out", out)
    assert (code, answer) == (2, "")
    assert "failed gates of its recipe: zeros >= 0.99." in err
    assert not out.exists()


def test_a_forced_failed_run_is_marked(
    failed: Path, tmp_path: Path, ask: Ask, model_of: ModelOf
) -> None:
    out = tmp_path / "bundle"
    assert ask("bundle", "tiny", "--runs", failed, "--out", out, "--force")[0] == 0
    assert model_of(out)["made"]["gates_failed"] == ["zeros >= 0.99"]
    assert "Not good enough by its own recipe" in (out / "CARD.md").read_text()
    assert "failed gate: zeros >= 0.99" in ask("verify", out)[1]


def test_a_file_that_draws_several_pictures_at_a_time_is_refused(
    tiny_recipe: Path, tiny_copy: Path, tmp_path: Path, ask: Ask
) -> None:
    more = ("--runs", tiny_copy, "--convert.batch", "2", "--quiet")
    assert ask("convert", tiny_recipe, *more)[0] == 0
    code, _, err = ask(
        "bundle", "tiny", "--runs", tiny_copy, "--force", "--out", tmp_path / "bundle"
    )
    assert code == 2
    assert "it draws 2 pictures at a time, not one" in err


# ---------------------------------------------------------------------- where it goes


def test_a_bundle_is_replaced_by_another(
    tiny_runs: Path, conditional_runs: Path, tmp_path: Path, ask: Ask, model_of: ModelOf
) -> None:
    out = tmp_path / "bundle"
    for name, runs in (("tiny", tiny_runs), ("told", conditional_runs)):
        assert ask("bundle", name, "--runs", runs, "--out", out)[0] == 0
        assert model_of(out)["name"] == name
    assert verify(out).problems == ()


def test_a_folder_that_is_no_bundle_is_left_alone(
    tiny_runs: Path, tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "thesis.txt").write_text("years of it")
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(work)
    monkeypatch.chdir(work)
    for out in (work, tmp_path / "file", tmp_path / "link", Path("."), Path(".."), Path("/")):
        code, answer, err = ask("bundle", "tiny", "--runs", tiny_runs, "--out", out)
        assert (code, answer) == (2, "")
        assert "Name a" in err
    (tmp_path / "photos.zip").write_text("mine")
    code, _, err = ask("bundle", "tiny", "--runs", tiny_runs, "--out", tmp_path / "photos")
    assert code == 2
    assert "photos.zip is in the way and no bundle" in err
    assert _files(tmp_path) == {
        "work/thesis.txt": b"years of it",
        "photos.zip": b"mine",
        "file": b"x",
    }


def test_a_bundle_with_something_added_is_left_alone(
    tiny_runs: Path, tmp_path: Path, ask: Ask
) -> None:
    out = tmp_path / "bundle"
    assert ask("bundle", "tiny", "--runs", tiny_runs, "--out", out)[0] == 0
    (out / "notes.txt").write_text("mine")
    code, _, err = ask("bundle", "tiny", "--runs", tiny_runs, "--out", out)
    assert code == 2
    assert "notes.txt belongs to no bundle" in err
    assert (out / "notes.txt").read_text() == "mine"


def test_a_full_disk_leaves_nothing_half_written(
    tiny_runs: Path, tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path, __: bytes) -> int:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    code, answer, err = ask("bundle", "tiny", "--runs", tiny_runs, "--out", tmp_path / "bundle")
    assert (code, answer) == (2, "")
    assert "no space is left on the disk" in err
    assert [*tmp_path.iterdir()] == []


# ---------------------------------------------------------------------- signing


def test_a_signed_bundle_is_checked_with_the_public_key(
    tiny_runs: Path, tmp_path: Path, ask: Ask
) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    secret, public, out = (tmp_path / name for name in ("key.pem", "public.pem", "bundle"))
    nothing = serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, nothing))
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(PEM, spki))
    assert ask("bundle", "tiny", "--runs", tiny_runs, "--out", out, "--sign", secret)[0] == 0
    assert (out / SIGNATURE).stat().st_size == 64
    assert "signed by the owner of this key" in ask("verify", out, "--public-key", public)[1]
    assert "give --public-key" in ask("verify", tmp_path / "bundle.zip")[1]
    (out / SIGNATURE).write_bytes(b"\0" * 64)
    code, _, err = ask("verify", out, "--public-key", public)
    assert code == 2
    assert "is not this key's signature" in err


# ---------------------------------------------------------------------- bad requests


BAD = (
    (("bundle",), "run"),
    (("bundle", "nowhere"), "There is no run 'nowhere'"),
    (("bundle", "tiny", "--variant", "int4"), "has no variant 'int4'"),
    (("bundle", "tiny", "--sign", "nowhere.pem"), "nowhere.pem cannot be read"),
    (("bundle", "tiny", "--out", ""), "has no name"),
    (("bundle", "tiny", "--speed"), "--speed"),
    (("verify",), "bundle"),
    (("verify", "nowhere"), "nowhere does not exist"),
    (("verify", "."), "holds no bundle"),
    (("verify", ".", "--public-key", "nowhere.pem"), "nowhere.pem cannot be read"),
)


@pytest.mark.parametrize(("arguments", "answer"), BAD)
def test_bad_request_is_one_message(
    arguments: tuple[str, ...],
    answer: str,
    tiny_runs: Path,
    tmp_path: Path,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    more = ("--runs", str(tiny_runs)) if arguments[0] == "bundle" else ()
    code, out, err = ask(*arguments, *more)
    assert (code, out) == (2, "")
    assert err.startswith("pocketgan: ")
    assert answer in err
    assert "Traceback" not in err
    assert [*tmp_path.iterdir()] == []
