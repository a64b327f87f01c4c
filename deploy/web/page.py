"""The page as one file: document, runtime and models go into what was built of ``src``."""

import base64
import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from deploy.bundle.drawing import wire
from deploy.web.gallery import GalleryContents

BUILT = Path(__file__).with_name("built")
PLACE = b"<!-- contents -->"
"""Where in the page its document, runtime and models go."""
MARK = b'<meta name="generator" content="pocketgan gallery">'
"""What tells that a file is such a page."""
RUNTIME = ("litert.js.gz", "litert.wasm.gz")


def render(contents: GalleryContents) -> bytes:
    """The page, UTF-8; equal contents give equal bytes."""
    before, after = (BUILT / "page.html").read_bytes().split(PLACE)
    document = contents.document.model_dump_json(by_alias=True).encode().replace(b"<", b"\\u003c")
    head = b'<script type="application/json" id="document">' + document + b"</script>"
    blobs = (
        b'<script type="text/plain" id="' + name.encode() + b'">' + base64.b64encode(packed)
        + b"</script>"
        for name, packed in _blobs(contents)
    )  # fmt: skip
    return before + b"\n".join([head, *blobs]) + after


def _blobs(contents: GalleryContents) -> Iterator[tuple[str, bytes]]:
    """Element id → gzipped bytes."""
    for name in RUNTIME:
        yield name.removesuffix(".gz"), (BUILT / name).read_bytes()
    for number, content in enumerate(contents.files):
        yield f"file-{number}", _packed(content)
    for number, inputs in enumerate(contents.golden_inputs):
        yield f"golden-inputs-{number}", _packed(wire(inputs))
    for number, pixels in enumerate(contents.golden_pixels):
        yield f"golden-pixels-{number}", _packed(wire(pixels))
    if contents.examples is not None:
        yield "examples", _packed(wire(np.ascontiguousarray(contents.examples)))


def _packed(content: bytes) -> bytes:
    return gzip.compress(content, 9, mtime=0)
