import gzip
import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.data import idx

ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
# Written out by hand, so that reader and header are held against the format and not each other.
FILE = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, *range(24)])


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_read_gives_the_array_whatever_the_name_says(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "anything"
    path.write_bytes(pack(FILE))
    assert (idx.read(path) == ARRAY).all()
    assert idx.read(path).dtype == np.uint8


def test_header_and_sha256_are_those_of_the_file() -> None:
    assert idx.header(ARRAY.shape) + ARRAY.tobytes() == FILE
    assert idx.sha256(ARRAY) == hashlib.sha256(FILE).hexdigest()
    assert idx.sha256(ARRAY[:, ::-1][:, ::-1]) == hashlib.sha256(FILE).hexdigest()


@pytest.mark.parametrize("length", range(len(FILE)))
def test_read_refuses_a_file_cut_at_any_byte(tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut-idx3-ubyte"
    path.write_bytes(FILE[:length])
    with pytest.raises(PocketganError, match="cut-idx3-ubyte"):
        idx.read(path)


PACKED = gzip.compress(FILE, mtime=0)


@pytest.mark.parametrize("length", range(2, len(PACKED)))
def test_read_refuses_a_gzip_file_cut_at_any_byte(tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(PACKED[:length])
    with pytest.raises(PocketganError, match=r"cut\.gz"):
        idx.read(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\1" + FILE[1:], "two zero bytes"),
        (b"\0\0\x0d" + FILE[3:], "type 0x0d"),
        (b"\0\0\x08\0" + FILE[4:], "0 dimensions"),
        (b"\0\0\x08\xff" + b"\0\0\0\1" * 255 + b"\0", "255 dimensions"),
        (FILE + b"\0", "holds 25 values, but its header announces 24"),
        (idx.header((2**32 - 1, 2**32 - 1, 2**32 - 1)), "announces"),
        (idx.header((0, 28, 28)), "is empty"),
        (PACKED[:-8] + b"\0" * 8, "damaged gzip"),
        (PACKED + b"more", "damaged gzip"),
        (b"\x1f\x8b" + b"\xff" * 40, "damaged gzip"),
        (PACKED[:10] + b"\xff" * 40, "damaged gzip"),
        (struct.pack("<I", 0x803) + FILE[4:], "two zero bytes"),
    ],
)
def test_read_names_the_file_and_what_is_wrong(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    path = tmp_path / "wrong"
    path.write_bytes(content)
    with pytest.raises(PocketganError, match=problem) as caught:
        idx.read(path)
    assert str(path) in caught.value.problem
    assert caught.value.remedy


def test_read_refuses_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(PocketganError, match="cannot be read"):
            idx.read(path)
