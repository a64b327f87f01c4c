import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.errors import PocketganError
from deploy.targets import vela
from deploy.targets.installing import Environment, fetch_wheels, find_python, wheel_options
from deploy.targets.local import Micro, TfliteRuntime

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POCKETGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def tiny(tmp_path: Path) -> Environment:
    """An environment of one package, which needs no network."""
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    info = "tiny-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "ANSWER = 42\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", f"tiny.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n")
    return Environment(name="tiny", packages=(str(wheel),), module="tiny", pythons=(HERE,))


def stand_in(folder: Path, name: str, script: str) -> None:
    """A program ``name`` in ``folder``."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_installed_environment_runs_its_package_and_is_not_made_again(tiny: Environment) -> None:
    assert not tiny.ready
    tiny.install(lambda line: None)
    assert tiny.ready
    command = [str(tiny.python), "-I", "-c", "import tiny; print(tiny.ANSWER)"]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "42\n"

    lines: list[str] = []
    tiny.install(lines.append)
    assert len(lines) == 1
    assert "already" in lines[0]
    assert not replace(tiny, packages=("tiny==2.0",)).ready

    tiny.python.unlink()  # as when the Python it was made with is taken away
    assert not tiny.ready


def test_environment_that_lost_its_package_is_installed_again(tiny: Environment) -> None:
    tiny.install(lambda line: None)
    [module] = tiny.folder.rglob("tiny.py")
    module.unlink()
    assert not tiny.works()
    tiny.install(lambda line: None)
    assert tiny.works()


def test_package_whose_hash_is_another_is_not_installed(tiny: Environment, tmp_path: Path) -> None:
    hashes = tmp_path / "hashes.txt"
    hashes.write_text(f"{tiny.packages[0]} --hash=sha256:{'0' * 64}\n")
    guarded = replace(tiny, hashes=hashes)
    with pytest.raises(PocketganError, match="cannot be filled"):
        guarded.install(lambda line: None)
    assert not guarded.ready


def test_failed_installation_leaves_nothing_behind(tiny: Environment, cache: Path) -> None:
    with pytest.raises(PocketganError, match=r"does not work: .*absent") as error:
        replace(tiny, module="absent").install(lambda line: None)
    assert list((cache / "environments").iterdir()) == []
    assert error.value.remedy.endswith("pocketgan targets install tiny")  # nothing that is gone


def test_python_that_only_pretends_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    stand_in(programs, "python2.9", "echo 'version 2.9 is not installed'; exit 127")
    stand_in(programs, "python2.8", "echo 2.8")
    monkeypatch.setenv("PATH", str(programs))
    assert find_python(("2.9", "2.8")) == str(programs / "python2.8")
    assert find_python((HERE, "2.8")) == sys.executable


def test_missing_python_is_named_with_what_to_do(
    tiny: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PocketganError, match=r"2\.9 or 2\.8") as caught:
        replace(tiny, pythons=("2.9", "2.8")).install(lambda line: None)
    assert HERE in caught.value.problem
    assert "`python2.9`" in caught.value.remedy


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment", [TfliteRuntime.environment, Micro.environment, vela.ENVIRONMENT]
)
def test_environments_of_the_targets_can_be_installed(environment: Environment) -> None:
    environment.install(lambda line: None)
    assert environment.ready


def test_selection_prefers_the_newest_wheels_that_still_run() -> None:
    options = wheel_options("3.11", "aarch64", 19)
    assert options == [
        "--only-binary=:all:",
        "--python-version=3.11",
        "--platform=manylinux_2_19_aarch64",
        "--platform=manylinux_2_18_aarch64",
        "--platform=manylinux_2_17_aarch64",
    ]


def test_what_has_no_wheel_there_is_named(tmp_path: Path) -> None:
    # No index is asked: a file that does not exist is no wheel anywhere.
    with pytest.raises(PocketganError, match=r"gone-1\.0-py3-none-any\.whl cannot be fetched"):
        fetch_wheels([str(tmp_path / "gone-1.0-py3-none-any.whl")], [], tmp_path)
    assert list(tmp_path.iterdir()) == []
