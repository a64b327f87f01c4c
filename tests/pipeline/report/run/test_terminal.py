import io
from pathlib import Path

from rich.console import Console

from pipeline.report.run import terminal
from pipeline.report.run.gates import check_all, parse_gate


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


def test_terminal_table_fits_eighty_columns(report):
    assert "…" not in printed(terminal.variants(report), width=80)


def test_terminal_gives_the_reason_of_a_dash(report):
    assert "– float32, PSNR, dB: it is the reference" in printed(terminal.render(report))


def test_terminal_shows_failed_gates(report):
    failed = check_all((parse_gate("zeros >= 0.9"), parse_gate("zeros >= 0.1")), report)
    text = printed(terminal.gates(failed))
    assert "1 of 2 gates failed" in text
    assert "✗ zeros >= 0.9  0.8" in text


def test_terminal_does_not_read_names_as_markup(report):
    named = report.variants[0].model_copy(update={"name": "[red]x[/]"})
    changed = report.model_copy(update={"variants": (named,)})
    assert "[red]x[/]" in printed(terminal.render(changed))
