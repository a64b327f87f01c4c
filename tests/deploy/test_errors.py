import pytest

from deploy.errors import printable


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
