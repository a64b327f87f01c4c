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


def test_a_row_takes_teacher_and_search_of_another_one_and_keeps_its_own(tmp_path: Path) -> None:
    for stage in ("1-teacher", "2-search", "3-student"):
        (tmp_path / "first" / stage).mkdir(parents=True)
        (tmp_path / "first" / stage / "file").write_text("first")
    own = tmp_path / "second" / "2-search"
    own.mkdir(parents=True)
    (own / "file").write_text("second")
    variety.share_stages(tmp_path, tmp_path / "second")
    assert (tmp_path / "second" / "1-teacher" / "file").read_text() == "first"
    assert (own / "file").read_text() == "second"
    assert not (tmp_path / "second" / "3-student").exists()
