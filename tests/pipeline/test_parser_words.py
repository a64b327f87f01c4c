from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from jsonargparse.typing import ClosedUnitInterval, PositiveInt

from pipeline.parser_words import reason, type_in_words
from pipeline.recipe.reading import recipe_keys
from pipeline.recipe.sections import PictureSide


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (str, "text"),
        (PositiveInt, "whole number ≥ 1"),
        (ClosedUnitInterval | None, "0 to 1 or none"),
        (PictureSide, "1 to 1024 pixels"),
        (Literal["a", "b"], "a, b"),
        (list[PositiveInt], "list, each: whole number ≥ 1"),
        (dict[str, float], "names, each with: number"),
        (tuple[float, float] | None, "[number, number] or none"),
        (Path, "path"),
    ],
)
def test_type_is_told_in_words(wanted: Any, words: str) -> None:
    assert type_in_words(wanted) == words


def test_no_type_of_a_recipe_is_told_by_a_name_of_the_parser() -> None:
    for key, wanted in recipe_keys().items():
        words = type_in_words(wanted)
        assert not any(letter.isupper() for letter in words.replace("NumPy", "")) or (
            is_dataclass(wanted) or "StudentSettings" in words
        ), (key, words)
        assert "restricted" not in words


def test_unknown_option_is_guessed() -> None:
    error = ValueError("unrecognized arguments: --max-gzip 12")
    assert reason(error, ["--max-gzip-kb", "--max-kb"]) == (
        "there is no option --max-gzip. Did you mean '--max-gzip-kb'?"
    )
