import pytest

from pipeline.networks.map_sizes import doublings, first_map, map_sides


@pytest.mark.parametrize(
    ("image", "often", "first"),
    [
        ((28, 28, 1), 2, (7, 7)),
        ((32, 32, 3), 2, (8, 8)),
        ((64, 64, 3), 3, (8, 8)),
        ((128, 128, 3), 4, (8, 8)),
        ((50, 50, 3), 3, (7, 7)),
        ((48, 64, 3), 3, (6, 8)),
        ((64, 48, 3), 3, (8, 6)),
        ((5, 5, 1), 2, (2, 2)),
    ],
)
def test_first_map_is_small_and_covers_the_picture_when_doubled(
    image: tuple[int, int, int], often: int, first: tuple[int, int]
) -> None:
    assert (doublings(image), first_map(image)) == (often, first)
    assert all(small << often >= side for small, side in zip(first, image, strict=False))


@pytest.mark.parametrize(
    ("image", "sides"),
    [
        ((28, 28, 1), [(7, 7), (14, 14)]),
        ((64, 64, 3), [(8, 8), (16, 16), (32, 32)]),
        ((6, 6, 1), [(6, 6)]),
        ((9, 9, 1), [(9, 9)]),
        ((33, 33, 1), [(33, 33)]),
    ],
)
def test_maps_of_a_student_are_halves_of_its_picture(
    image: tuple[int, int, int], sides: list[tuple[int, int]]
) -> None:
    assert map_sides(image) == sides
