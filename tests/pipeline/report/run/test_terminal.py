import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.report.run import terminal
from pipeline.report.run.columns import BY_NAME
from pipeline.report.run.gates import check_all, parse_gate
from pipeline.report.run.schema import TrivialReport
from tests.pipeline.report.conftest import unmeasured


def printed(renderable, width=100):
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()


def test_terminal_shows_verdict_variants_gates_and_page(report):
    text = printed(terminal.render(report, Path("runs/digits/report.html")))
    assert text.startswith("int8 is 14× smaller")
    assert all(variant.name in text for variant in report.variants)
    assert "✓ zeros >= 0.75  0.8" in text
    assert "Page: runs/digits/report.html" in text


@pytest.mark.parametrize("unpaired", [True, False])
def test_terminal_shows_of_a_translator_what_it_is_judged_by(report, unpaired):
    data = report.dataset.model_copy(update={"unpaired": unpaired})
    trivial = TrivialReport(name="bicubic", quality=report.floor)
    text = printed(terminal.render(other(report, trivial=trivial, dataset=data)), width=200)
    header = next(
        line for line in text.splitlines() if line.startswith("Variant") or "File" in line
    )
    assert ("Fréchet" in header) == unpaired
    assert ("SSIM" in header) != unpaired


def test_terminal_table_fits_eighty_columns(report):
    assert "…" not in printed(terminal.FoldedVariants(report), width=80)


@pytest.mark.parametrize("width", [30, 80, 200])
def test_columns_that_are_too_many_for_the_terminal_go_below_and_none_is_cut(width, report):
    large = report.variants[0].model_copy(
        update={"bytes": 61_812_345_678, "bytes_gzip": 61 * 10**9}
    )
    text = printed(
        terminal.FoldedVariants(other(report, variants=(large, *report.variants[1:]))), width
    )
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    assert "61,812,345.7" in text
    assert all(column.title in text for column in terminal._columns(report))
    assert text.count("Variant") == text.count("pruned-float32")
    assert (text.count("Variant") > 1) == (width < 200)


def test_terminal_gives_the_reason_of_a_marked_speed(report):
    shaken = [m.model_copy(update={"spread": 0.4}) for m in report.variants[0].measurements]
    doubtful = report.variants[0].model_copy(update={"measurements": tuple(shaken)})
    changed = report.model_copy(update={"variants": (doubtful, *report.variants[1:])})
    assert "~ float32: not to be trusted: the rounds' medians lie 40% apart" in printed(
        terminal.render(changed), width=200
    )


def test_terminal_gives_the_reason_of_a_dash(report):
    assert "– float32, PSNR, dB: it is the reference" in printed(terminal.render(report))


def test_the_best_of_a_column_has_a_sign_where_nothing_is_bold(report):
    text = printed(terminal.render(report))
    assert "* the best of its column" in text
    ours, theirs = (BY_NAME["bytes"].text(report.variant(name)) for name in ("int8", "float32"))
    assert f"*{ours}" in text
    assert f"*{theirs}" not in text


def test_terminal_shows_failed_gates(report):
    failed = check_all((parse_gate("zeros >= 0.9"), parse_gate("zeros >= 0.1")), report)
    text = printed(terminal.gates(failed))
    assert "1 of 2 gates failed" in text
    assert "✗ zeros >= 0.9  0.8" in text


def test_terminal_says_of_a_gate_that_it_cannot_fail(report):
    report = check_all((parse_gate("recall_drop <= 0.7"),), report)
    text = printed(terminal.gates(report))
    assert "✓ recall_drop <= 0.7  -0.0011 (cannot fail: float32 itself has Recall 0.700)" in text


def test_terminal_does_not_read_names_as_markup(report):
    named = report.variants[0].model_copy(update={"name": "[red]x[/]"})
    changed = report.model_copy(update={"variants": (named,)})
    assert "[red]x[/]" in printed(terminal.render(changed))


def other(report, **changes):
    return report.model_copy(update=changes)


def with_quality(variant, **changes):
    return variant.model_copy(update={"quality": variant.quality.model_copy(update=changes)})


def on_another_machine(report):
    variants = tuple(
        v.model_copy(
            update={
                "measurements": tuple(
                    m.model_copy(update={"cpu": "Another CPU"}) for m in v.measurements
                )
            }
        )
        for v in report.variants
    )
    return other(report, variants=variants)


def test_equal_reports_differ_in_nothing(report):
    compared = terminal.compare(report, report)
    assert compared["warnings"] == []
    assert compared["recipe"] == {}
    assert compared["variants"]["int8"]["bytes"] == {"a": 374_880, "b": 374_880, "ratio": 1}


def test_comparison_is_safe_for_json(report):
    compared = terminal.compare(report, other(report, seed=2))
    assert json.loads(json.dumps(compared, allow_nan=False)) == compared


def test_ratio_is_b_over_a(report):
    smaller = report.variants[6].model_copy(update={"bytes_gzip": 94_730 // 2})
    compared = terminal.compare(report, other(report, variants=(smaller,)))
    assert compared["variants"]["int8"]["bytes_gzip"]["ratio"] == pytest.approx(0.5)


def test_comparison_sets_trivial_baselines_beside_each_other_where_they_are_alike(report):
    trivial = TrivialReport(name="bicubic", quality=report.floor)
    a = other(report, trivial=trivial)
    b = other(report, trivial=trivial.model_copy(update={"name": "input"}))
    assert list(terminal.compare(a, b)["without_file"]) == ["real against real"]
    compared = terminal.compare(a, a)
    assert compared["without_file"]["bicubic"]["frechet"]["a"] == report.floor.frechet
    assert "bicubic" in printed(terminal.render_comparison(compared))


def test_absent_figures_and_ratios_to_zero_are_none(report):
    blind = report.variants[6].model_copy(
        update={"quality": unmeasured("no judge", samples=1, seed=1)}
    )
    figures = terminal.compare(report, other(report, variants=(blind,)))["variants"]["int8"]
    assert figures["frechet"] == {"a": 12.08, "b": None, "ratio": None}
    assert figures["float_ops"] == {"a": 0, "b": 0, "ratio": None}


def test_figures_of_two_judges_have_no_ratio_and_no_colour(report):
    other_judge = report.judge.model_copy(update={"sha256": "0" * 64})
    smaller = report.variants[6].model_copy(update={"bytes_gzip": 94_730 // 2})
    b = other(report, judge=other_judge, variants=(smaller,))
    figures = terminal.compare(report, b)["variants"]["int8"]
    assert figures["frechet"] == {"a": 12.08, "b": 12.08, "ratio": None}
    assert figures["psnr"]["ratio"] == 1
    assert figures["bytes_gzip"]["ratio"] == pytest.approx(0.5)


def test_variants_of_one_report_only_are_listed(report):
    compared = terminal.compare(report, other(report, variants=report.variants[:2]))
    assert list(compared["variants"]) == ["float32", "float16"]
    assert compared["only_in_a"][-1] == "int16x8"
    assert compared["only_in_b"] == []


def test_recipe_differences_have_dotted_keys(report):
    recipe = report.recipe | {"prune": report.recipe["prune"] | {"zeros": 0.9, "new": 1}}
    compared = terminal.compare(report, other(report, recipe=recipe))
    assert compared["recipe"] == {
        "prune.new": {"a": None, "b": 1},
        "prune.zeros": {"a": 0.8, "b": 0.9},
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda r: other(r, judge=r.judge.model_copy(update={"sha256": "0" * 64})),
            "the judges differ .* quality figures are not comparable",
        ),
        (
            lambda r: other(r, dataset=r.dataset.model_copy(update={"sha256": "0" * 64})),
            "the data differ .* quality figures are not comparable",
        ),
        (
            lambda r: other(r, variants=tuple(with_quality(v, samples=10) for v in r.variants)),
            "the numbers of samples differ .5000 and 10.: quality figures are not comparable",
        ),
        (
            lambda r: other(r, floor=r.floor.model_copy(update={"samples": 10})),
            "the numbers of samples of the floor differ .5000 and 10.: floors are not comparable",
        ),
        (on_another_machine, "the machines differ .*Another CPU.* are not comparable"),
    ],
)
def test_comparison_warns_where_conditions_differ(report, change, words):

    warnings = terminal.compare(report, change(report))["warnings"]
    assert len(warnings) == 1
    assert re.search(words, warnings[0])


def test_comparison_says_in_words_what_is_better(report):
    smaller = report.variants[6].model_copy(update={"bytes_gzip": 94_730 // 2})
    text = printed(
        terminal.render_comparison(terminal.compare(report, other(report, variants=(smaller,))))
    )
    lines = {line.split()[0]: line.rstrip() for line in text.splitlines() if line.strip()}
    assert lines["Gzip,"].endswith("better")
    assert not lines["Fréchet"].endswith(("better", "worse"))


@pytest.mark.parametrize(("judge", "verdict"), [("1" * 64, ""), (None, "better")])
def test_what_is_more_than_nothing_is_better_by_one_judge_and_nothing_by_two(
    report, judge, verdict
):
    a, b = (
        other(report, variants=(with_quality(report.variants[6], recall=recall),))
        for recall in (0.0, 0.5)
    )
    if judge:
        b = other(b, judge=b.judge.model_copy(update={"sha256": judge}))
    text = printed(terminal.render_comparison(terminal.compare(a, b)), width=160)
    (line,) = (line for line in text.splitlines() if line.startswith("Recall ") and "0.500" in line)
    assert line.split()[4:] == [verdict] * bool(verdict)


def test_comparison_for_the_terminal_shows_warnings_figures_and_recipe(report):
    b = other(report, judge=report.judge.model_copy(update={"sha256": "0" * 64}), recipe={})
    b = other(b, variants=report.variants[5:7])
    text = printed(terminal.render_comparison(terminal.compare(report, b)), width=160)
    assert "Warning: the judges differ" in text
    assert "Fréchet" in text
    assert "only in a: float32" in text
    assert "prune.zeros" in text
