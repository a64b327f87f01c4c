import re

import pytest

from pipeline.cli import main
from pipeline.commands.compress import parse_compress
from pipeline.commands.compress_options import MORE
from pipeline.commands.starting_values import changed_defaults, default_of


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("search.trials", " (default: 10 (latents), 8 (pictures))"),
        ("budget.minutes", " (default: none (latents), 15.0 (pictures))"),
        ("teacher.cut", " (default: auto)"),
        ("budget.max_kb", ""),
        ("data.source", ""),  # of a generator without pictures that of the recipe does not hold
        ("name", ""),
    ],
)
def test_default_of_an_option_is_that_for_latents_and_for_pictures(key: str, expected: str) -> None:
    assert default_of(key) == expected


def test_values_that_only_one_kind_of_generator_starts_from_are_listed_for_both() -> None:
    listed = changed_defaults()
    assert "--student.steps: 4000 (latents), 0 (pictures)" in listed
    assert "--train.final_rate: 0.1" in listed


def test_help_of_compress_names_both_and_no_null(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["compress", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "students to try (default: 10 (latents), 8 (pictures))" in text
    assert "5% or 0.05" in text
    assert "What compress sets otherwise, unless the run that GENERATOR is does: --" in text
    assert text.index("the seven that") < text.rindex("--inputs photos") < text.index("--storage")
    assert not re.search("null|default: False", text)


def test_every_example_and_option_that_the_help_of_compress_begins_with_can_be_given() -> None:
    lines = MORE.replace("\\\n", "").splitlines()
    examples = [line.split()[2:] for line in lines if line.startswith("  pocketgan compress")]
    first = [line.split()[:2] for line in lines if line.startswith("  --")]
    assert (len(examples), len(first)) == (5, 7)
    for arguments in (*examples, *(["gan.keras", *option] for option in first)):
        assert parse_compress(arguments)[1] == []
