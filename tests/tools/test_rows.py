"""Rows of a file: all of them, and never half of one."""

from pathlib import Path

from tools.rows import add_rows, read_rows


def test_rows_come_back_as_they_were_added(tmp_path: Path) -> None:
    file = tmp_path / "new" / "rows.jsonl"
    assert read_rows(file) == []
    add_rows(file, [{"file": "ä", "figures": [1, 2.5]}])
    add_rows(file, [{"file": "b"}])
    assert read_rows(file) == [{"file": "ä", "figures": [1, 2.5]}, {"file": "b"}]


def test_half_a_row_is_none_and_the_next_takes_its_place(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    for half in ('{"nu', '{"number": 2}'):
        file.write_text('{"number": 1}\n' + half)
        assert read_rows(file) == [{"number": 1}]
        add_rows(file, [{"number": 3}])
        assert read_rows(file) == [{"number": 1}, {"number": 3}]
