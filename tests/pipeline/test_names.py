"""Names of runs and files that a shell, a terminal or a page would take for something else."""

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

Ask = Callable[..., tuple[int, str, str]]

PIECES = (
    *("$(touch x)", "`touch x`", "; touch x", "it's", '"a"', " ", "-rf", "%s{runs}", "*?"),
    *("new\nline", "\ttab", "\a", "\x1b[31m", "\x7f", "\u202e", "é🦊", "[red]", "<script>", "&lt;"),
)
MOST = 100  # characters


def hostile_name(seed: int) -> str:
    return "".join(Random(seed).sample(PIECES, 6))[:MOST]


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(s, marks=pytest.mark.slow) for s in range(3, 20))]
)
def test_run_of_any_name_is_inspected_bundled_verified_and_compared(
    seed: int, ask: Ask, tiny_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = (tiny_copy / "tiny").rename(tiny_copy / hostile_name(seed))
    file = Path(shutil.copy(run / "4-convert" / "int8.tflite", tmp_path / f"{run.name}.tflite"))
    before = {path.name for path in tmp_path.iterdir()}
    for arguments in (
        ("inspect", file),
        ("bundle", run, "--force"),
        ("verify", run / "bundle"),
        ("compare", run, run),
    ):
        code, out, err = ask(*arguments)
        assert code == 0, err
        assert not {"\x1b", "\a", "\x7f", "\u202e"} & {*out, *err}
    assert {path.name for path in tmp_path.iterdir()} == before
