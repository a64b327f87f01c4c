"""What every measurement of the tests is of, where that does not matter."""

from typing import Any

SUBJECT: dict[str, Any] = {
    "target": "local",
    "variant": "int8",
    "sha256": "0" * 64,
    "bytes": 1,
    "bytes_gzip": 1,
    "bytes_zstd": 1,
    "threads": 1,
    "delegate": "xnnpack",
}
