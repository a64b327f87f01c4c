import pytest

from pipeline.channel_order import channels_first


@pytest.mark.parametrize(
    ("shape", "first"),
    [
        ((1, 3, 64, 64), True),
        ((1, 64, 64, 3), False),
        ((1, 512, 8, 8), True),
        ((1, 8, 8, 512), False),
        ((None, 3, None, None), True),
        ((None, None, None, 3), False),
        ((1, 3, 48, 64), True),
        ((1, 48, 64, 3), False),
        ((1, 100, 1, 1), True),
        ((1, 1, 1, 100), False),
        ((1, 64), False),
    ],
)
@pytest.mark.parametrize("unless_clear", [True, False])
def test_equal_sides_and_numbers_of_colours_say_where_channels_lie(
    shape: tuple[int | None, ...], first: bool, unless_clear: bool
) -> None:
    assert channels_first(shape, unless_clear=unless_clear) is first


@pytest.mark.parametrize("shape", [(1, 12, 30, 64), (1, 3, 5, 4), (1, 4, 4, 4)])
def test_shape_that_says_nothing_is_as_is_usual(shape: tuple[int, ...]) -> None:
    assert channels_first(shape, unless_clear=True)
    assert not channels_first(shape, unless_clear=False)
