from pathlib import Path

import pytest

from deploy.errors import PocketganError
from deploy.targets.wheels import fetch, selection


def test_selection_prefers_the_newest_wheels_that_still_run() -> None:
    options = selection("3.11", "aarch64", 19)
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
        fetch([str(tmp_path / "gone-1.0-py3-none-any.whl")], [], tmp_path)
    assert list(tmp_path.iterdir()) == []
