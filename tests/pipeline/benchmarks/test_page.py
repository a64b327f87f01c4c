from pipeline.benchmarks.page import render
from pipeline.benchmarks.schema import Benchmark


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
