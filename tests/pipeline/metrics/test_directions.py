import numpy as np
import pytest

from pipeline.metrics.directions import (
    REACH,
    at,
    change,
    cosine,
    each_class,
    of_activations,
    of_weights,
    sameness,
    walk,
)

RANDOM = np.random.default_rng(7)
BASIS = np.linalg.qr(RANDOM.normal(size=(6, 6)))[0].astype(np.float32)
SIZES = np.array([5, 3, 2, 0.1, 0.1, 0.1], np.float32)
WEIGHTS = (np.linalg.qr(RANDOM.normal(size=(40, 6)))[0] * SIZES @ BASIS.T).astype(np.float32)
LATENTS = RANDOM.normal(size=(3000, 6)).astype(np.float32)


def test_directions_of_weights_are_those_that_the_layer_stretches_most() -> None:
    directions = of_weights(WEIGHTS, 3)
    assert directions.dtype == np.float32
    np.testing.assert_allclose(np.abs(directions @ BASIS[:, :3]), np.eye(3), atol=1e-4)


def test_a_layer_of_small_rank_has_no_more_directions_than_that() -> None:
    assert of_weights(WEIGHTS[:, :1] @ np.ones([1, 6], np.float32), 4).shape == (1, 6)


def test_directions_of_activations_are_those_of_weights_where_nothing_is_bent() -> None:
    directions = of_activations(LATENTS, LATENTS @ WEIGHTS.T, 3)
    assert np.diag(np.abs(directions @ BASIS[:, :3])).min() > 0.99


def test_directions_of_activations_see_what_weights_cannot() -> None:
    # The largest step is in what never passes the activation.
    closed = WEIGHTS.copy()
    hidden = np.maximum(LATENTS @ closed.T - 100 * (np.arange(40) < 20), 0)
    directions = of_activations(LATENTS, hidden, 1)
    stretched = [np.linalg.norm(closed[20:] @ each) for each in (directions[0], BASIS[:, 0])]
    assert stretched[0] > 0.98 * stretched[1]
    assert np.linalg.norm(directions) == pytest.approx(1, abs=1e-5)


def test_what_classes_make_of_activations_is_no_direction_of_latents() -> None:
    classes = np.eye(3, dtype=np.float32)[RANDOM.integers(3, size=len(LATENTS))]
    hidden = LATENTS @ WEIGHTS.T + 100 * classes @ RANDOM.normal(size=(3, 40)).astype(np.float32)
    inputs = np.concatenate([LATENTS, classes], axis=1)
    directions = of_activations(inputs, hidden, 3, classes=3)
    assert np.diag(np.abs(directions @ BASIS[:, :3])).min() > 0.99


def test_the_sign_of_a_direction_is_free_and_always_the_same() -> None:
    for directions in (of_weights(WEIGHTS, 3), of_activations(LATENTS, LATENTS @ WEIGHTS.T, 3)):
        assert (directions[np.arange(3), np.abs(directions).argmax(axis=1)] > 0).all()
    np.testing.assert_array_equal(of_weights(WEIGHTS, 3), of_weights(-WEIGHTS, 3))


def test_part_along_a_direction_is_set_and_all_else_stays() -> None:
    inputs = np.concatenate([LATENTS[:5], np.eye(5, dtype=np.float32)], axis=1)
    direction = BASIS[:, 1]
    changed = at(inputs, direction, 1.5)
    np.testing.assert_allclose(changed[:, :6] @ direction, 1.5, atol=1e-5)
    np.testing.assert_allclose(changed[:, :6] @ BASIS[:, 2], inputs[:, :6] @ BASIS[:, 2], atol=1e-5)
    np.testing.assert_array_equal(changed[:, 6:], inputs[:, 6:])
    np.testing.assert_array_equal(inputs[:, :6], LATENTS[:5])


def drawn_with(weights: np.ndarray):
    """A generator of four grey pixels, linear within their range."""

    def draw(inputs: np.ndarray) -> np.ndarray:
        grey = 128 + 20 * inputs @ weights
        return grey.round().clip(0, 255).astype(np.uint8).reshape(-1, 2, 2, 1)

    return draw


def look(pictures: np.ndarray) -> np.ndarray:
    return pictures.reshape(len(pictures), -1).astype(np.float64)


PIXELS = np.eye(4, dtype=np.float32)


def test_walk_goes_from_one_end_to_the_other() -> None:
    pictures = walk(drawn_with(PIXELS), np.zeros([2, 4], np.float32), PIXELS[1], 5)
    assert pictures.shape == (2, 5, 2, 2, 1)
    np.testing.assert_array_equal(pictures[0, :, 0, 1, 0], [88, 108, 128, 148, 168])
    np.testing.assert_array_equal(pictures[:, :, 1], 128)


def test_each_class_is_drawn_of_the_same_latent() -> None:
    inputs = np.array([[1, 0, 0, 1]], np.float32)
    pictures = each_class(drawn_with(PIXELS), inputs, 3)
    np.testing.assert_array_equal(
        pictures.reshape(3, 4), 128 + 20 * np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]])
    )


def test_effect_is_the_mean_change_of_a_pixel() -> None:
    moved = change(drawn_with(PIXELS), look, LATENTS[:7, :4] * 0, PIXELS[0])
    assert moved.effect == pytest.approx(2 * REACH * 20 / 4 / 255)
    np.testing.assert_array_equal(moved.features, moved.pixels.reshape(7, 4))


def changes(weights: np.ndarray) -> list[np.ndarray]:
    return [change(drawn_with(weights), look, LATENTS[:50, :4], each).pixels for each in PIXELS]


def test_a_generator_does_the_same_as_itself() -> None:
    mine = changes(PIXELS)
    alike = sameness(mine[0], mine[0], mine[1:])
    assert (alike.agreement, alike.strength) == (1, 1)
    assert alike.chance < 0.01


def test_half_the_change_is_the_same_at_half_the_strength() -> None:
    alike = sameness(changes(PIXELS / 2)[0], changes(PIXELS)[0], changes(PIXELS)[1:])
    assert alike.agreement > 0.99
    assert alike.strength == pytest.approx(0.5, abs=0.02)


def test_the_opposite_and_the_unrelated_are_told_apart() -> None:
    mine, other = changes(PIXELS), changes(-PIXELS)
    assert sameness(other[0], mine[0], mine[1:]).agreement < -0.99
    assert abs(sameness(mine[1], mine[0], mine[2:]).agreement) < 0.01


def test_what_changes_alike_along_any_direction_shows_as_chance() -> None:
    brighter = changes(np.ones([4, 4], np.float32))
    alike = sameness(brighter[0], brighter[0], brighter[1:])
    assert alike.agreement == 1
    assert alike.chance > 0.99


def test_what_does_nothing_agrees_with_nothing() -> None:
    nothing, mine = changes(PIXELS * 0), changes(PIXELS)
    assert sameness(nothing[0], mine[0], mine[1:]).agreement == 0
    assert sameness(mine[0], nothing[0], mine[1:]).strength == 0
    assert cosine(nothing[0], nothing[0]) == 0
