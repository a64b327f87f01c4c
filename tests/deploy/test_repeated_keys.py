import pytest

from deploy.repeated_keys import RepeatedKey, repeated_key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2", None),
        ("a: 1\nb: 2\na: 3", RepeatedKey("a", 1, 3)),
        ("a: {b: 1}\nc: {b: 1}", None),
        ("a:\n  - {b: 1,\n     b: 2}", RepeatedKey("b", 2, 3)),
        ("a: &same {b: 1}\nc: *same", None),
        ("", None),
    ],
)
def test_first_key_that_stands_twice_in_one_mapping(
    text: str, expected: RepeatedKey | None
) -> None:
    assert repeated_key(text) == expected


def test_value_that_holds_itself_ends() -> None:
    with pytest.raises(RecursionError):
        repeated_key("a: &self {b: *self}")
