"""A page as one file: document, runtime and models go into what was built of ``src``."""

import base64
import gzip
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


def _blob(name: str, packed: bytes) -> bytes:
    start = f'<script type="text/plain" id="{name}">'.encode()
    return start + base64.b64encode(packed) + b"</script>"
