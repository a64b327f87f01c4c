import pytest

from deploy.errors import guess, one_line, one_of, printable


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("gen é [a].tflite", "gen é [a].tflite"),
        ("a\nb", r"a\nb"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\u202efoo", r"\u202efoo"),
        ("\udc80", r"\udc80"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, escaped: str) -> None:
    assert printable(text) == escaped


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("digit", "Did you mean 'digits'? Known: digits, fashion."),
        ("zzz", "Known: digits, fashion."),
        ("", "Known: digits, fashion."),
    ],
)
def test_unknown_name_gets_the_likely_one_and_all_there_are(name: str, remedy: str) -> None:
    assert one_of(name, ("digits", "fashion")) == remedy


def test_key_of_another_section_is_guessed_by_its_last_part() -> None:
    keys = ("train.steps", "prune.ramp")
    assert guess("evaluate.ramp", keys) == "Did you mean 'prune.ramp'?"
    assert guess("evaluate.r", keys) == ""


def test_colours_of_a_message_are_left_out() -> None:
    assert one_line(ValueError("\x1b[1mNo\nshape.\x1b[0m Give one.")) == "No shape. Give one."
