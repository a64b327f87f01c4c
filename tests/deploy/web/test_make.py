import base64
import gzip
import json
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from deploy.bundle.drawing import draw, unwire
from deploy.errors import PocketganError
from deploy.web.gallery import Gallery
from deploy.web.make import EXAMPLES, PageContents, make

PageOf = Callable[..., PageContents]


def _blob(page: bytes, name: str) -> bytes:
    match = re.search(rb'id="%b">([^<]*)</script>' % name.encode(), page)
    assert match is not None, name
    return gzip.decompress(base64.b64decode(match[1]))


@pytest.mark.parametrize("kind", ["latent", "picture"])
def test_page_holds_document_models_runtime_and_golden_pictures(kind: str, page_of: PageOf) -> None:
    contents = page_of(kind)
    document, page = make(contents)
    stored = re.search(rb'id="document">([^<]*)</script>', page)
    assert stored is not None
    assert Gallery.model_validate_json(stored[1]) == document
    for number, file in enumerate(contents.files):
        assert _blob(page, f"file-{number}") == file.content
        facts = document.files[number]
        shape = (document.golden, *facts.input.shape[1:])
        inputs = unwire(_blob(page, f"golden-inputs-{number}"), facts.input.dtype, shape)
        drawn = draw(file.content, inputs).outputs
        assert len(_blob(page, f"golden-pixels-{number}")) == drawn.size
    assert _blob(page, "litert.wasm")[:4] == b"\0asm"
    assert b"ModuleFactory" in _blob(page, "litert.js")


def test_equal_contents_give_equal_bytes(page_of: PageOf) -> None:
    assert make(page_of()) == make(page_of())


def test_a_title_does_not_end_the_document(page_of: PageOf) -> None:
    document, page = make(page_of(title="a</script><script>alert(1)</script>"))
    assert b"<script>alert" not in page
    match = re.search(rb'id="document">([^<]*)<', page)
    assert match is not None
    assert json.loads(match[1])["title"] == document.title


def test_examples_are_the_most_varied_pictures(page_of: PageOf) -> None:
    flat = np.full((EXAMPLES, 16, 16, 3), 9, np.uint8)
    photos = page_of("picture").examples
    _, page = make(page_of("picture", examples=np.concatenate([flat, photos])))
    shape = (EXAMPLES, *photos.shape[1:])
    examples = unwire(_blob(page, "examples"), "uint8", shape)
    assert (examples[: len(photos)].std(axis=(1, 2, 3)) > 50).all()
    assert (examples[len(photos) :] == 9).all()


def test_a_page_of_pictures_without_pictures_is_refused(page_of: PageOf) -> None:
    with pytest.raises(PocketganError, match="needs some to read"):
        make(page_of("picture", examples=np.zeros((0, 16, 16, 3), np.uint8)))


def test_files_that_read_different_things_share_no_page(page_of: PageOf) -> None:
    latent, picture = page_of("latent"), page_of("picture")
    files = (picture.files[0], latent.files[0])
    with pytest.raises(PocketganError, match="read or draw different things"):
        make(page_of("picture", files=files))


def test_what_does_not_run_is_refused(page_of: PageOf) -> None:
    contents = page_of()
    broken = replace(contents.files[0], content=b"no model")
    with pytest.raises(PocketganError, match="does not run"):
        make(replace(contents, files=(broken, contents.files[1])))
