"""The rows of the table of variety: what is patched, and what they share."""

from pathlib import Path
from pkgutil import resolve_name

import pytest

from tools.experiments import variety, variety_methods

PLACES = {
    "channels by latent sensitivity (DCP-GAN)": (
        "pipeline.search.builder:importance_by_taylor",
        variety_methods.importance_by_latents,
    ),
    "MMD in the discriminator's features (DiME)": (
        "pipeline.stages.training:Generation",
        variety_methods.DistributionMatching,
    ),
    "selective discriminator (GCC)": (
        "pipeline.stages.training:Generation",
        variety_methods.SelectiveDiscrimination,
    ),
    variety.ROUNDING_ONLY: (
        "pipeline.stages.training:Generation",
        variety_methods.SelectiveDiscrimination,
    ),
}


def test_each_row_but_the_first_has_its_method_in_place() -> None:
    assert [variety.AS_IT_IS, *PLACES] == list(variety.METHODS)


@pytest.mark.parametrize("name", PLACES)
def test_a_method_is_in_place_within_its_row_only(name: str) -> None:
    place, method = PLACES[name]
    before = resolve_name(place)
    with variety.METHODS[name]():
        assert resolve_name(place) is method
    assert resolve_name(place) is before


def test_a_row_takes_what_it_shares_of_the_first_one_and_keeps_its_own(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for stage in ("1-teacher", "2-search", "3-student"):
        (first / stage).mkdir(parents=True)
        (first / stage / "file").write_text("first")
    (second / "2-search").mkdir(parents=True)
    (second / "2-search" / "file").write_text("second")
    variety.share_stages(first, second, variety.SHARED)
    assert (second / "1-teacher" / "file").read_text() == "first"
    assert (second / "2-search" / "file").read_text() == "second"
    assert not (second / "3-student").exists()
