from rich.console import Console

from tools.tables import Table, cell, percent, whole

TABLE = Table(("Peer", "bytes"), [["ours", "12"], ["theirs", "–"]], ["theirs: [broken]"])


def test_markdown_aligns_figures_right_and_lists_notes() -> None:
    assert TABLE.markdown().splitlines() == [
        "| Peer | bytes |",
        "| :-- | --: |",
        "| ours | 12 |",
        "| theirs | – |",
        "",
        "- theirs: [broken]",
    ]


def test_terminal_shows_notes_as_they_are() -> None:
    console = Console(width=60)
    with console.capture() as capture:
        console.print(TABLE.for_terminal())
    assert "theirs: [broken]" in capture.get()


def test_cell_is_a_dash_where_there_is_no_figure() -> None:
    assert (cell(None), cell(0.8, percent), cell(12345, whole)) == ("–", "80.0 %", "12,345")
