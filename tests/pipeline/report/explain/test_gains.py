import csv
import re
from pathlib import Path

import pytest

from pipeline.report.explain.gains import TABLE, Gain, gain_in_words, gains, pays

SUITE = Path(__file__).parents[4] / "docs" / "suite.md"
FAMILIES = ("dense", "transposed conv", "resize conv", "sub pixel", "depthwise")
CHANGES = {
    "sub_pixel": ("transposed conv", "sub pixel"),
    "depthwise": ("transposed conv", "depthwise"),
    "no_resizing": ("resize conv", "sub pixel"),
}


def suite(target: str) -> dict[str, dict[str, str]]:
    """Place → family → the int8 figure, as the document has it."""
    part = SUITE.read_text(encoding="utf-8").split(f"## `{target}`")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| (\d+) \| (.+) \|$", part, re.MULTILINE)
    return {
        f"suite {pixels} pixels, width {width}": dict(
            zip(FAMILIES, (cell.split(" / ")[0] for cell in cells.split(" | ")), strict=True)
        )
        for pixels, width, cells in rows
    }


@pytest.mark.parametrize("target", ["local", "arm:cortex-a53", "arm:cortex-a76"])
def test_figures_of_the_suite_are_those_of_its_document(target: str) -> None:
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["target"] == target]
    document = suite(target)
    of_suite = [row for row in rows if row["change"] in CHANGES]
    assert len(of_suite) == len(CHANGES) * len(document)
    for row in of_suite:
        before, after = CHANGES[row["change"]]
        figures = document[row["place"]]
        assert (row["before"], row["after"]) == (figures[before], figures[after])


def test_every_change_was_measured_on_each_of_three_targets() -> None:
    for change in (*CHANGES, "fixed_batch", "relu", "batch_norm", "width"):
        assert set(gains(change)) == {"local", "arm:cortex-a53", "arm:cortex-a76"}
        assert all(len(gain.ratios) >= 3 for gain in gains(change).values())


def test_gain_is_the_median_and_says_how_far_pairs_lie_apart() -> None:
    gain = Gain("board", (2.0, 4.0, 1.0))
    assert gain.median == 2
    assert (
        gain.words == "0.50× of the cost on board (median of 3 pairs of generators, 0.25× to 1.00×)"
    )


def test_target_that_was_not_measured_has_the_others_gains() -> None:
    words = gain_in_words("sub_pixel", "browser")
    assert words.endswith("not measured on browser")
    assert words.count("pairs of generators") == 3


def test_change_pays_where_it_was_measured_to() -> None:
    assert pays("fixed_batch", "local")
    assert not pays("fixed_batch", "arm:cortex-a53")
    assert pays("fixed_batch", "ssh:pi")  # unknown there, and it does somewhere
    assert not pays("relu", "ssh:pi")
