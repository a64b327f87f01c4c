from typing import Any

import pytest

from deploy.jobs import FIGURES, Measurement
from deploy.second_opinion import opinions, remarks


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
    ("ours", "theirs", "word"),
    [
        (1.09, 1.0, "agrees with local within 10%: int8."),
        (1.11, 1.0, "+11%"),
        (0.91, 1.0, "agrees with local within 10%: int8."),
        (0.89, 1.0, "-11%"),
        (0.05, 0.1, "Too fast for litert-benchmark to judge"),
    ],
)
def test_each_pair_is_told_to_agree_or_not_or_to_be_too_fast(
    ours: float, theirs: float, word: str
) -> None:
    (sentence,) = remarks([timed("local", ours), timed("litert-benchmark", theirs)])
    assert word in sentence


def test_files_of_one_verdict_share_a_sentence() -> None:
    pairs = [
        timed(target, 0.05, variant=name, threads=threads)
        for target in ("local", "litert-benchmark")
        for name, threads in (("int8", 1), ("int8", 2), ("float16", 1))
    ]
    (sentence,) = remarks(pairs)
    assert sentence.endswith("int8, int8 with 2 threads, float16.")


def test_disagreement_names_the_variant_and_both_figures_by_their_own_digits() -> None:
    (sentence,) = remarks([timed("local", 2.0), timed("litert-benchmark", 1.0)])
    for part in ("int8:", "2.000 ms", " 1.00 ms", "+100%"):
        assert part in sentence


def test_no_pair_gives_no_remark() -> None:
    assert remarks([timed("local", 2.0)]) == []


def test_figure_that_is_absent_gives_no_opinion() -> None:
    assert opinions([timed("local", 1.0), timed("litert-benchmark", None)]) == []
