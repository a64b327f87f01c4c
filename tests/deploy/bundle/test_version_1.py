"""Bundles as they were before they could read pictures: they are still read."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.bundle import files
from deploy.bundle.verify import verify

Put = Callable[[dict[str, bytes], Path], Path]


@pytest.mark.parametrize("javascript", [False, True])
def test_a_bundle_of_version_1_is_read_and_has_no_javascript(
    javascript: bool, parts: dict[str, bytes], put: Put, tmp_path: Path
) -> None:
    contents = dict(parts)
    old = json.loads(parts["model.json"])
    del old["picture"], old["latent"]["directions"]
    del old["golden"]["pictures"], old["golden"]["masks"]
    for figure in ("psnr_truth", "ssim_truth", "psnr_hole"):
        del old["quality"][figure]
    contents["model.json"] = json.dumps(old | {"version": 1}).encode()
    if not javascript:
        del contents[files.JAVASCRIPT]
    contents[files.SUMS] = files.checksums(contents)
    verdict = verify(put(contents, tmp_path / "old"))
    if javascript:
        assert verdict.problems == ("code/generator.js belongs to no bundle of this kind",)
    else:
        assert verdict.problems == ()
        assert verdict.model is not None
        assert verdict.model.version == 1
