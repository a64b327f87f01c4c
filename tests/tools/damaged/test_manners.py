import io
import random
import zipfile
from pathlib import Path

import pytest

from tools.damaged.manners import MANNERS, damage

CONTENT = b'{"layers": [{"name": "dense", "units": 64}], "files": "weights.bin"}' + bytes(range(64))
ELSEWHERE = Path("/nowhere/elsewhere.bin")


@pytest.mark.parametrize("manner", MANNERS)
def test_manner_damages_alike_for_the_same_seed(manner: str) -> None:
    first, again = (MANNERS[manner](CONTENT, random.Random(3), ELSEWHERE) for _ in "12")
    assert first == again != CONTENT


def test_every_manner_comes_about_in_files_and_in_archives(tmp_path: Path) -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("config.json", CONTENT)
    seen = set()
    for number in range(400):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "model.keras").write_bytes(written.getvalue())
        seen.add(damage(folder, random.Random(number), ELSEWHERE))
        assert number < 100 or len(seen) > 8
        if seen == {*MANNERS, "bomb", "renamed", "missing"}:
            return
    raise AssertionError(f"only {sorted(seen)}")
