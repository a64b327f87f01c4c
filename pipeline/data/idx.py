"""Reader of idx files, the format that MNIST and its kin are published in.

Two zero bytes, a type code, the number of dimensions, each dimension as a big-endian 32-bit number,
then the values (LeCun, Cortes and Burges, "The MNIST database of handwritten digits").
"""

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from deploy.errors import PocketganError
from pipeline.arrays import Images

UNSIGNED_BYTE = 0x08
MOST_DIMENSIONS = 4
GZIP_MAGIC = b"\x1f\x8b"


def read(path: Path) -> Images:
    """The array in an idx file of unsigned bytes, packed by gzip or not; uint8, read-only.

    Raises PocketganError where the file cannot be read, is not idx, holds another type, or is
    shorter or longer than its header says.
    """
    content = _unpacked(path)
    if len(content) < 4 or content[:2] != b"\0\0":
        raise _broken(path, "is not an idx file: it does not begin with two zero bytes")
    code, rank = content[2], content[3]
    if code != UNSIGNED_BYTE:
        raise _broken(path, f"holds values of type 0x{code:02x}, not unsigned bytes (0x08)")
    if not 1 <= rank <= MOST_DIMENSIONS:
        raise _broken(path, f"has {rank} dimensions, not 1 to {MOST_DIMENSIONS}")
    start = 4 + 4 * rank
    if len(content) < start:
        raise _broken(path, "ends within its header")
    shape = struct.unpack(f">{rank}I", content[4:start])
    if 0 in shape:
        raise _broken(path, f"is empty: its shape is {list(shape)}")
    values, announced = len(content) - start, math.prod(shape)
    if values != announced:
        raise _broken(path, f"holds {values} values, but its header announces {announced}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def header(shape: tuple[int, ...]) -> bytes:
    """The bytes that stand before the values of an array of unsigned bytes of this shape."""
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, UNSIGNED_BYTE, len(shape), *shape)


def sha256(array: Images) -> str:
    """What ``sha256sum`` prints for the unpacked idx file of this array."""
    digest = hashlib.sha256(header(array.shape))
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _unpacked(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _broken(path, f"is a damaged gzip file ({error})") from error
    except OSError as error:
        raise _broken(path, f"cannot be read: {error.strerror}") from error


def _broken(path: Path, what: str) -> PocketganError:
    return PocketganError(f"{path} {what}.", "Copy or download the file again.")
