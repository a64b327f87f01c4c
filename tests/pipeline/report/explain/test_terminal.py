from rich.console import Console

from pipeline.consoles import UNWRAPPED
from pipeline.report.explain.terminal import render
from tests.pipeline.report.explain.conftest import Explained


def text(explained: Explained, top: int = 9, **others: object) -> str:
    printer = Console(width=150)
    with printer.capture() as captured:
        printer.print(render(explained(**others), top))
    return captured.get()


def test_table_has_cost_share_and_ratio_of_each_operation(explained: Explained) -> None:
    lines = text(explained).splitlines()
    assert "of float32" in lines[1]
    row = next(line for line in lines if line.startswith(" TRANSPOSE_CONV"))
    assert row.split() == [
        *("TRANSPOSE_CONV", "transpose_conv", "8×8×16", "800,000", "900,000"),
        *("90.0", "%", "2.00×", "yes"),
    ]


def test_only_the_dearest_are_shown_and_the_rest_counted(explained: Explained) -> None:
    shown = text(explained, top=1)
    table = shown.split("What it costs")[0]
    assert "TRANSPOSE_CONV" in table
    assert "FULLY_CONNECTED" not in table
    assert "(1 other: --top)" in table


def test_topics_stand_above_their_sentences(explained: Explained) -> None:
    shown = text(explained)
    assert shown.index("What it costs") < shown.index("What would change it")


def test_ratios_are_left_out_where_nothing_is_compared(explained: Explained) -> None:
    assert "of float32" not in text(explained, other=None).split("What it costs")[0]


def test_sentences_are_as_long_as_their_words_where_lines_are_not_wrapped(
    explained: Explained,
) -> None:
    printer = Console(width=UNWRAPPED)
    with printer.capture() as captured:
        printer.print(render(explained(), top=9))
    assert max(map(len, captured.get().splitlines())) < 1000
