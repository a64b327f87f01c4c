import pytest

from pipeline.report.explain.wording import (
    cost_in_words,
    count_in_words,
    kind_in_words,
    percent,
    shape_in_words,
)


@pytest.mark.parametrize(
    ("operation", "number", "words"),
    [
        ("TRANSPOSE_CONV", 1, "transposed convolution (TRANSPOSE_CONV)"),
        ("TRANSPOSE_CONV", 3, "3 transposed convolutions (TRANSPOSE_CONV)"),
        ("LEAKY_RELU", 2, "2 × leaky ReLU (LEAKY_RELU)"),
        ("TANH", 1, "TANH"),
        ("TANH", 2, "2 TANH"),
    ],
)
def test_kinds_have_plain_names_beside_the_runtimes(
    operation: str, number: int, words: str
) -> None:
    assert kind_in_words(operation, number) == words


def test_large_numbers_are_written_short() -> None:
    assert count_in_words(51_744_000) == "51.7 million"
    assert count_in_words(1.25e9) == "1.25 billion"
    assert count_in_words(940) == "940"
    assert cost_in_words(20_276_842, "instructions") == "20.3 million instructions"
    assert cost_in_words(1.117, "ms") == "1.12 ms"


def test_small_shares_are_not_nothing() -> None:
    assert percent(0.965) == "96.5 %"
    assert percent(0.00001) == "under 0.1 %"
    assert percent(0.0) == "0.0 %"


def test_shapes_are_written_without_the_batch() -> None:
    assert shape_in_words((1, 14, 14, 64)) == "14×14×64"
    assert shape_in_words((4,)) == "4"
