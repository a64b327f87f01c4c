from typing import Any

import pytest

from deploy.jobs import FIGURES, Measurement
from deploy.second_opinion import doubts, opinions


def timed(target: str, p50_ms: float | None, **changes: Any) -> Measurement:
    """A measurement that holds a median only."""
    fields: dict[str, Any] = {
        "target": target,
        "variant": "int8",
        "sha256": "0" * 64,
        "bytes": 1,
        "bytes_gzip": 1,
        "bytes_zstd": 1,
        "threads": 1,
        "delegate": "xnnpack",
        "p50_ms": p50_ms,
    }
    given = set() if p50_ms is None else {"p50_ms"}
    absent = {name: "-" for name in FIGURES if name not in given}
    return Measurement.model_validate(fields | {"absent": absent} | changes)


def test_variants_and_threads_are_paired_and_others_left_out() -> None:
    found = opinions(
        [
            timed("local", 1.0, threads=1),
            timed("local", 0.6, threads=2),
            timed("local", 3.0, variant="alone"),
            timed("local:plain", 9.0),
            timed("litert-benchmark", 0.5, threads=2),
            timed("litert-benchmark", 0.8, threads=1),
            timed("litert-benchmark", 2.0, variant="int8-ptq"),
        ]
    )
    assert [(it.variant, it.threads) for it in found] == [("int8", 1), ("int8", 2)]
    assert [it.ratio for it in found] == pytest.approx([1.25, 1.2])


def test_other_file_of_the_same_name_is_no_pair() -> None:
    measurements = [timed("local", 1.0), timed("litert-benchmark", 2.0, sha256="1" * 64)]
    assert opinions(measurements) == []


@pytest.mark.parametrize(
    ("ours", "theirs", "doubtful"),
    [(1.09, 1.0, 0), (1.11, 1.0, 1), (0.91, 1.0, 0), (0.89, 1.0, 1), (0.05, 0.1, 0)],
)
def test_difference_beyond_a_tenth_is_doubted_unless_too_short(
    ours: float, theirs: float, doubtful: int
) -> None:
    assert len(doubts([timed("local", ours), timed("litert-benchmark", theirs)])) == doubtful


def test_doubt_names_the_variant_and_both_figures() -> None:
    (sentence,) = doubts([timed("local", 2.0), timed("litert-benchmark", 1.0)])
    for part in ("int8", "1 thread:", "2.000 ms", "1.00 ms", "+100%"):
        assert part in sentence


def test_figure_that_is_absent_gives_no_opinion() -> None:
    assert opinions([timed("local", 1.0), timed("litert-benchmark", None)]) == []
