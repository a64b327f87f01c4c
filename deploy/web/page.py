"""A page as one file: document, runtime and models go into what was built of ``src``."""

import base64
import gzip
import re
import zlib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

BUILT = Path(__file__).with_name("built")
PLACE = b"<!-- contents -->"
"""Where in the page its document, runtime and models go."""
MARK = b'<meta name="generator" content="pocketgan gallery">'
"""What tells that a file is such a page."""
RUNTIME = ("litert.js", "litert.wasm")
"""On one thread, which every browser runs."""
THREADED_RUNTIME = ("litert-threads.js", "litert-threads.wasm")
"""On several: only for pages that a browser isolates from all others."""
GPU_RUNTIME = ("litert-gpu.js", "litert-gpu.wasm")
"""Through WebGPU, in browsers whose WebAssembly can wait (JSPI)."""


def render(
    name: str,
    document: BaseModel,
    blobs: Mapping[str, bytes],
    runtime: tuple[str, ...] = RUNTIME,
) -> bytes:
    """The page of that name, UTF-8, with its document, a runtime and ``blobs`` by their names.

    Equal contents give equal bytes.
    """
    before, after = (BUILT / f"{name}.html").read_bytes().split(PLACE)
    text = document.model_dump_json(by_alias=True).encode().replace(b"<", b"\\u003c")
    elements = [b'<script type="application/json" id="document">' + text + b"</script>"]
    elements += [
        _blob(name, (BUILT / f"{stored}.gz").read_bytes())
        for name, stored in zip(RUNTIME, runtime, strict=False)  # without one, none
    ]
    elements += [_blob(name, gzip.compress(blob, 9, mtime=0)) for name, blob in blobs.items()]
    return before + b"\n".join(elements) + after


def files_of(page: bytes) -> list[bytes]:
    """The .tflite files in a gallery page, those that are damaged left out; of anything else
    none."""
    stored = re.findall(rb'<script type="text/plain" id="file-\d+">([^<]*)</script>', page)
    return [*filter(None, map(_unpacked, stored if MARK in page else []))]


def _unpacked(text: bytes) -> bytes | None:
    try:
        return gzip.decompress(base64.b64decode(text))
    except (ValueError, OSError, EOFError, zlib.error):
        return None


def _blob(name: str, packed: bytes) -> bytes:
    start = f'<script type="text/plain" id="{name}">'.encode()
    return start + base64.b64encode(packed) + b"</script>"
