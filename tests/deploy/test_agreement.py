import base64
import zlib
from typing import Any

import numpy as np
import pytest

from deploy.agent import pack
from deploy.agreement import compare, decode, opinions, remarks
from deploy.jobs import FIGURES, Measurement, Output
from tests.deploy.subject import SUBJECT


def drawing(*values: np.ndarray) -> Measurement:
    """A measurement that kept these outputs, each with its first axis the inputs'."""
    return Measurement(
        **SUBJECT,
        outputs=tuple(Output.model_validate(pack("drawn", [value])) for value in values),
        error="only the outputs matter here",
    )


PICTURE = np.arange(-8, 8, dtype=np.int8).reshape(1, 4, 4, 1)


def test_same_values_are_equal() -> None:
    agreement = compare(drawing(PICTURE), drawing(PICTURE))
    assert agreement is not None
    assert (agreement.equal, agreement.largest, agreement.share) == (True, 0, 0)


def test_distance_counts_steps_and_their_share() -> None:
    other = PICTURE.copy()
    other[0, 0, 0, 0] += 3
    other[0, 1, 1, 0] -= 1
    agreement = compare(drawing(other), drawing(PICTURE))
    assert agreement is not None
    assert (agreement.equal, agreement.largest, agreement.share) == (False, 3, 2 / 16)
    assert agreement.within_one == 15 / 16


def test_int8_extremes_do_not_wrap_around() -> None:
    low, high = np.full((1, 1), -128, np.int8), np.full((1, 1), 127, np.int8)
    agreement = compare(drawing(low), drawing(high))
    assert agreement is not None
    assert agreement.largest == 255


def test_nan_on_one_side_only_is_a_difference() -> None:
    plain, broken = np.zeros((1, 2), np.float32), np.array([[0, np.nan]], np.float32)
    agreement = compare(drawing(broken), drawing(plain))
    assert agreement is not None
    assert not agreement.equal
    both = compare(drawing(broken), drawing(broken))
    assert both is not None
    assert both.equal


@pytest.mark.parametrize(
    "other", [PICTURE.astype(np.float32), PICTURE.reshape(1, 2, 8, 1)], ids=["dtype", "shape"]
)
def test_outputs_of_another_kind_cannot_be_compared(other: np.ndarray) -> None:
    assert compare(drawing(other), drawing(PICTURE)) is None
    assert compare(drawing(PICTURE, PICTURE), drawing(PICTURE)) is None


def test_fewer_inputs_are_compared_with_as_many() -> None:
    agreement = compare(drawing(PICTURE), drawing(np.concatenate([PICTURE, PICTURE + 1])))
    assert agreement is not None
    assert agreement.equal


def test_infinity_is_equal_to_itself_and_far_from_all_else() -> None:
    endless, plain = np.array([[np.inf, 1.0]], np.float32), np.array([[2.0, 1.0]], np.float32)
    both, one = (
        compare(drawing(endless), drawing(endless)),
        compare(drawing(endless), drawing(plain)),
    )
    assert both is not None
    assert both.equal
    assert one is not None
    assert (one.share, np.isfinite(one.largest)) == (0.5, True)


@pytest.mark.parametrize(
    "broken", [{"data": "#"}, {"data": "AAAA"}, {"dtype": "object"}, {"dtype": "text"}]
)
def test_outputs_that_cannot_be_read_cannot_be_compared(broken: dict[str, str]) -> None:
    whole = drawing(PICTURE)
    assert whole.outputs is not None
    other = whole.model_copy(update={"outputs": (whole.outputs[0].model_copy(update=broken),)})
    assert compare(other, other) is None


def test_output_that_unpacks_to_more_than_it_promises_is_refused() -> None:
    bomb = base64.b64encode(zlib.compress(bytes(10_000_000))).decode()
    with pytest.raises(ValueError, match=r"reshape|buffer|size"):
        decode(Output(name="x", dtype="int8", shape=(4,), data=bomb))


def timed(target: str, p50_ms: float | None, **changes: Any) -> Measurement:
    """A measurement that holds a median only."""
    fields = SUBJECT | {"target": target, "p50_ms": p50_ms}
    present = set() if p50_ms is None else {"p50_ms"}
    absent = {name: "-" for name in FIGURES if name not in present}
    return Measurement.model_validate(fields | {"absent": absent} | changes)


def test_variants_and_threads_are_paired_and_others_left_out() -> None:
    pairs = opinions(
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
    assert [(it.variant, it.threads) for it in pairs] == [("int8", 1), ("int8", 2)]
    assert [it.ratio for it in pairs] == pytest.approx([1.25, 1.2])


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
