import re
from collections.abc import Callable

from deploy.jobs import Conditions, Measurement, OperationCost
from pipeline.report.benchmark.page import render
from pipeline.report.benchmark.schema import Benchmark


def test_page_shows_targets_files_and_sentences(benchmark: Benchmark) -> None:
    page = render(benchmark)
    for text in ("arm:cortex-a53", "3.38 M (1.31×)", "ship float32", "SIGSEGV", "= local"):
        assert text in page
    assert page.count("<svg") == 4


def test_page_refers_to_nothing_outside_itself(benchmark: Benchmark) -> None:
    page = render(benchmark)
    assert "http" not in page
    assert "<script" not in page


def test_page_of_an_incomplete_benchmark_says_so(benchmark: Benchmark) -> None:
    good = tuple(m for m in benchmark.measurements if m.error is None)
    interrupted = benchmark.model_copy(update={"measurements": good})
    assert "not complete" in render(interrupted)
    assert "not complete" not in render(interrupted.model_copy(update={"complete": True}))


def test_page_of_a_benchmark_with_failures_counts_them(benchmark: Benchmark) -> None:
    assert "1 measurement failed" in render(benchmark)


def test_hostile_names_are_only_text(benchmark: Benchmark) -> None:
    name = "<script>alert(1)</script>"
    file = benchmark.files[0].model_copy(update={"name": name})
    page = render(benchmark.model_copy(update={"files": (file, *benchmark.files[1:])}))
    assert "<script>" not in page


def rows_of_every(page: str) -> list[list[str]]:
    """The table of all measurements: its heading and rows as lists of cells, markup left in."""
    table = page[page.index('<table class="every">') :].split("</table>")[0]
    return [
        re.findall(r"<t[hd].*?</t[hd]>", row) for row in re.findall("<tr>.*?</tr>", table, re.S)
    ]


def test_what_to_doubt_stands_early_in_the_table_of_all(benchmark: Benchmark) -> None:
    heading, *_ = rows_of_every(render(benchmark))
    titles = [re.sub("<.*?>", "", cell) for cell in heading]
    assert titles.index("Spread") == titles.index("p90, ms") + 1
    assert titles.index("Remarks") < 5


def test_each_dash_of_the_table_of_all_has_its_reason_behind_it(benchmark: Benchmark) -> None:
    _, *rows = rows_of_every(render(benchmark))
    assert len(rows) == len(benchmark.measurements)
    figures = [cell for row in rows for cell in row[:-2]]  # but for processor and runtime
    dashes = [cell for cell in figures if ">–<" in cell]
    assert dashes
    assert all('title="' in cell for cell in dashes)


def test_energy_is_shown_with_its_meter(
    benchmark: Benchmark, measured: Callable[..., Measurement]
) -> None:
    one = measured("local", "int8", p90_ms=0.2, energy_mj=1.25, energy_source="RAPL package-0")
    page = render(benchmark.model_copy(update={"measurements": (one,)}))
    assert re.search(r'title="RAPL package-0"[^>]*>1\.25<', page)


def test_conditions_clock_and_the_targets_own_profile_are_shown(
    benchmark: Benchmark, measured: Callable[..., Measurement]
) -> None:
    cost = OperationCost(operation="CONV_2D", layer="block/conv", cost=2.0, unit="ms")
    phone = measured(
        "android",
        "int8",
        p90_ms=1.0,
        overhead_ns=73,
        before=Conditions(governor="schedutil", mhz=1804),
        after=Conditions(governor="schedutil", mhz=1500),
        profile=(cost,),
    )
    page = render(benchmark.model_copy(update={"measurements": (phone,)}))
    for text in (">73<", ">schedutil<", "1,804 → 1,500", "1 CONV_2D block/conv"):
        assert text in page


def test_untrusted_figure_is_marked_with_its_reason(
    benchmark: Benchmark, measured: Callable[..., Measurement]
) -> None:
    wide = (measured("local", "int8", p50_ms=0.1, p90_ms=0.2, spread=0.5),)
    page = render(benchmark.model_copy(update={"measurements": wide}))
    assert re.search(r'<td title="not to be trusted[^"]*50% apart">~0.200 ms', page)


def test_median_row_bears_the_mark(benchmark: Benchmark) -> None:
    page = render(benchmark)
    assert '<b class="best">0.0400 ms (0.20×)</b>' in page
    assert '<b class="best">0.0420 ms' not in page


def test_runs_that_were_made_are_told_and_not_those_usually_made(
    benchmark: Benchmark, measured: Callable[..., Measurement]
) -> None:
    few = (measured("local", "int8", p50_ms=0.1, p90_ms=0.2, runs=64),)
    page = render(benchmark.model_copy(update={"measurements": few}))
    assert "64 of each file" in page
    assert "at least 1,024" not in page


def test_machine_and_plan_are_in_words(benchmark: Benchmark) -> None:
    machine = {"memory": 25276502016, "flags": ["avx2", "neon"], "governor": None}
    plan = {"keep_samples": False, "latents": None}
    page = render(benchmark.model_copy(update={"machine": machine, "plan": plan}))
    for text in ("23.5 GiB", "avx2, neon", "not told", "keep samples</dt><dd>no", "none"):
        assert text in page
    assert "None" not in page


def test_title_counts_targets_and_not_their_numbers_of_threads(
    benchmark: Benchmark, measured: Callable[..., Measurement]
) -> None:
    both = tuple(measured("local", "int8", p90_ms=1.0, threads=n) for n in (1, 2))
    page = render(benchmark.model_copy(update={"measurements": both}))
    assert "2 files on 1 target<" in page
