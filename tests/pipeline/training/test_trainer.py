import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras

from deploy.errors import PocketganError
from pipeline.compression.fake_quantization import quantization_aware
from pipeline.compression.fold import fold_batch_norm
from pipeline.compression.prune import Pruning
from pipeline.training.checkpoint import load_checkpoint
from pipeline.training.losses import LOSSES
from pipeline.training.monitor import PATIENCE, HistoryRow
from pipeline.training.randomness import Purpose, latents
from pipeline.training.settings import WeightSettings
from pipeline.training.trainer import GANTrainer

Weights = list[np.ndarray]
PLAYERS = ("generator", "discriminator")


def same(a: Weights, b: Weights) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(a, b, strict=True))


def assert_moved(before: Weights, after: Weights) -> None:
    assert all(np.isfinite(weights).all() for weights in after)
    assert not same(before, after)


# ---------------------------------------------------------------------- rules of the game


@pytest.mark.parametrize("loss", LOSSES)
def test_game_with_each_loss_trains_both_networks(
    loss: str, make_game: Any, tmp_path: Path
) -> None:
    game = make_game(loss=loss)
    players = game.players
    generator, discriminator = (
        network.get_weights() for network in (players.generator, players.discriminator)
    )
    story = game.play(tmp_path / "game.npz", "test")
    assert_moved(generator, players.generator.get_weights())
    assert_moved(discriminator, players.discriminator.get_weights())
    assert [row.step for row in story.history] == [2, 4]
    assert all(row.finite for row in story.history)


@pytest.fixture(scope="module")
def plain_result() -> Weights:
    return []


RULES = {
    "r1": {"r1": 5.0, "r1_every": 2},
    "spectral norm": {"spectral_norm": True},
    "label smoothing": {"label_smoothing": 0.2},
    "augmentation": {"augment": ["shift", "cutout", "brightness"]},
    "l1 on the generator": {"generator_weights": WeightSettings(l1=0.1)},
    "l2 on the discriminator": {"discriminator_weights": WeightSettings(l2=0.1)},
    "dropping in the generator": {"generator_weights": WeightSettings(drop=0.5)},
    "dropping in the discriminator": {"discriminator_weights": WeightSettings(drop=0.5)},
    "falling rate": {"final_rate": 0.1},
    "two critic steps": {"critic_steps": 2},
    "another seed of the networks": {"start": 2},
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_trains_and_makes_a_difference(
    rule: str,
    make_game: Any,
    weights_of: Callable[[GANTrainer], Weights],
    plain_result: Weights,
    tmp_path: Path,
) -> None:
    if not plain_result:
        plain = make_game()
        plain.play(tmp_path / "plain.npz", "test")
        plain_result += weights_of(plain)
    game = make_game(**RULES[rule])
    before = weights_of(game)
    story = game.play(tmp_path / "game.npz", "test")
    assert_moved(before, weights_of(game))
    assert all(row.finite for row in story.history)
    comparable = [*game.players.generator.get_weights()]
    assert not same(comparable, plain_result[: len(comparable)])


def test_game_of_one_seed_has_one_result(
    make_game: Any, weights_of: Callable[[GANTrainer], Weights], tmp_path: Path
) -> None:
    games = [make_game(augment=["shift"], r1=1.0) for _ in range(2)]
    stories = [game.play(tmp_path / f"{n}.npz", "test") for n, game in enumerate(games)]
    assert same(*map(weights_of, games))
    assert stories[0].history == stories[1].history


def test_conditional_game_tells_both_networks_the_class(make_game: Any, tmp_path: Path) -> None:
    game = make_game(classes=3)
    generator = game.players.generator
    embedding = game.players.discriminator.get_layer("class_embedding")
    before = [generator.get_weights(), embedding.get_weights()]
    assert generator.input_shape == (None, 8 + 3)
    game.play(tmp_path / "game.npz", "test")
    assert_moved(before[0], generator.get_weights())
    assert_moved(before[1], embedding.get_weights())
    class_rows = generator.get_weights()[0][8:] - before[0][0][8:]
    assert (np.abs(class_rows).max(axis=1) > 0).all()


def test_critic_plays_as_often_as_asked(make_game: Any, tmp_path: Path) -> None:
    game = make_game(critic_steps=3)
    game.play(tmp_path / "game.npz", "test")
    assert int(game._generator_adam.iterations) == 4
    assert int(game._discriminator_adam.iterations) == 12


def test_wgan_keeps_the_critic_within_its_clip(make_game: Any, tmp_path: Path) -> None:
    game = make_game(loss="wgan", clip=0.02)
    game.play(tmp_path / "game.npz", "test")
    largest = [np.abs(weights).max() for weights in game.players.discriminator.get_weights()]
    assert max(largest) == pytest.approx(0.02)


def test_learning_rate_falls_along_half_a_cosine(make_game: Any, tmp_path: Path) -> None:
    story = make_game(final_rate=0.1, check_every=1).play(tmp_path / "game.npz", "test")
    shares = [0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * step / 4)) for step in range(4)]
    assert [row.rate for row in story.history] == pytest.approx([2e-3 * s for s in shares])


def test_weight_penalty_keeps_kernels_small(make_game: Any, tmp_path: Path) -> None:
    def size(l2: float) -> float:
        game = make_game(steps=20, check_every=20, generator_weights=WeightSettings(l2=l2))
        game.play(tmp_path / f"{l2}.npz", "test")
        return float(np.abs(game.players.generator.get_weights()[0]).mean())

    assert size(10.0) < 0.95 * size(0.0)


def test_discriminator_sees_real_and_drawn_pictures_augmented(
    make_game: Any, tmp_path: Path
) -> None:
    plain, augmented = (
        make_game(steps=1, check_every=1, augment=names).play(tmp_path / "game.npz", "test")
        for names in ([], ["cutout"])
    )
    for score in ("real_score", "fake_score"):
        assert getattr(plain.history[0], score) != getattr(augmented.history[0], score)


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_dropped_weights_stay_as_they_are_for_that_step(
    network: str, make_game: Any, tmp_path: Path
) -> None:
    game = make_game(steps=1, ema=0.0, **{f"{network}_weights": WeightSettings(drop=0.5)})
    before = {name: getattr(game.players, name).get_weights() for name in PLAYERS}
    game.play(tmp_path / "game.npz", "test")
    for name in PLAYERS:
        after = getattr(game.players, name).get_weights()
        unmoved = np.mean(
            [np.mean(a == b) for a, b in zip(before[name], after, strict=True) if a.ndim > 1]
        )
        assert (unmoved > 0.4) == (name == network), name


def test_teacher_pulls_the_generator_to_its_pictures(make_game: Any, tmp_path: Path) -> None:
    teacher = make_game(start=7).players.generator
    shown = latents(3, Purpose.CONTROL, 64, 8, 0)

    def apart(game: GANTrainer) -> float:
        drawn = game.players.generator(shown, training=False)
        return float(np.mean(np.square(drawn - teacher(shown, training=False))))

    rules = {"steps": 40, "check_every": 40, "generator_rate": 0.02, "ema": 0.5}
    taught = make_game(teacher=teacher, distill=100.0, **rules)
    alone = make_game(**rules)
    before, frozen = apart(taught), teacher.get_weights()
    for name, game in (("taught", taught), ("alone", alone)):
        game.play(tmp_path / f"{name}.npz", "test")
    assert apart(taught) < 0.5 * before
    assert apart(taught) < 0.5 * apart(alone)
    assert same(frozen, teacher.get_weights())


def test_kept_generator_is_the_average(make_game: Any, tmp_path: Path) -> None:
    game = make_game(ema=0.9)
    before = game.players.generator.get_weights()
    last: list[Weights] = []

    def look(row: HistoryRow, frame: np.ndarray) -> None:
        last[:] = [game.players.generator.get_weights()]

    game.play(tmp_path / "game.npz", "test", look)
    kept = game.players.generator.get_weights()
    assert same(kept, [shadow.numpy() for shadow in game.average.shadows])
    assert not same(kept, last[0])
    assert not same(kept, before)


def test_recalibrated_batch_norm_knows_the_averaged_weights(make_game: Any, tmp_path: Path) -> None:
    game = make_game("dcgan", ema=0.5, batch=32)
    game.play(tmp_path / "game.npz", "test")
    generator = game.players.generator
    projected = tf_keras.Model(generator.inputs, generator.get_layer("project").output)
    seen = projected(latents(3, Purpose.CONTROL, 2000, 8, 0)).numpy()
    norm = generator.get_layer("project_norm")

    def apart() -> float:
        return float(np.abs(np.sqrt(norm.moving_variance) - seen.std(axis=0)).mean())

    before = apart()
    game.recalibrate()
    assert apart() < 0.2 * before


@pytest.mark.parametrize("frames", [2, 3, 5])
def test_film_has_as_many_frames_as_asked_from_first_to_last(
    frames: int, make_game: Any, tmp_path: Path
) -> None:
    game = make_game(steps=8, check_every=1, film_frames=frames)
    first = game.draw_fixed()
    story = game.play(tmp_path / "game.npz", "test")
    assert len(story.frames) == frames
    assert all(frame.shape == (64, 8, 8, 1) and frame.dtype == np.uint8 for frame in story.frames)
    np.testing.assert_array_equal(story.frames[0], first)
    np.testing.assert_array_equal(story.frames[-1], game.draw_fixed())


def test_every_row_comes_with_the_pictures_of_the_fixed_latents(
    make_game: Any, tmp_path: Path
) -> None:
    seen: list[tuple[int, tuple[int, ...]]] = []
    story = make_game(steps=5).play(
        tmp_path / "game.npz", "test", lambda row, frame: seen.append((row.step, frame.shape))
    )
    assert seen == [(2, (64, 8, 8, 1)), (4, (64, 8, 8, 1)), (5, (64, 8, 8, 1))]
    assert [row.step for row in story.history] == [2, 4, 5]


def test_unknown_loss_or_augmentation_is_refused_before_the_game(make_game: Any) -> None:
    with pytest.raises(PocketganError, match=r"train\.loss"):
        make_game(loss="hinged")
    with pytest.raises(PocketganError, match=r"train\.augment"):
        make_game(augment=["shfit"])


def test_pictures_that_are_all_the_same_are_refused(make_game: Any) -> None:
    game = make_game()
    same_pictures = np.full([32, 8, 8, 1], 7, np.uint8)
    with pytest.raises(PocketganError, match=r"32 pictures .* all the same"):
        GANTrainer(game.players, same_pictures, None, game.settings, 1)


# ---------------------------------------------------------------------- troubles


def nullify(network: tf_keras.Model) -> tf_keras.Model:
    network.set_weights([np.zeros_like(weights) for weights in network.get_weights()])
    return network


def test_generator_that_draws_one_picture_is_a_mode_collapse(
    make_game: Any, tmp_path: Path
) -> None:
    game = make_game(generator=nullify, check_every=1, steps=PATIENCE + 1)
    story = game.play(tmp_path / "game.npz", "test")
    assert [row.diversity for row in story.history] == [0.0] * (PATIENCE + 1)
    (event,) = story.events
    assert event.startswith(f"step {PATIENCE}: mode collapse: ")


def test_discriminator_that_says_the_same_of_all_pictures_is_blind(
    make_game: Any, tmp_path: Path
) -> None:
    game = make_game(check_every=1, steps=PATIENCE)
    nullify(game.players.discriminator)
    story = game.play(tmp_path / "game.npz", "test")
    assert any(event.startswith(f"step {PATIENCE}: blind disc") for event in story.events)


def burst(game: GANTrainer, step: int) -> Callable[[HistoryRow, np.ndarray], None]:
    """At that look let the learning rate grow beyond all bounds, once."""
    bursts = iter([1])

    def look(row: HistoryRow, frame: np.ndarray) -> None:
        if row.step == step and next(bursts, None):
            game._rate_scale.assign(1e30)

    return look


def test_game_that_diverges_goes_back_and_on_with_half_the_rate(
    make_game: Any, weights_of: Callable[[GANTrainer], Weights], tmp_path: Path
) -> None:
    game = make_game(steps=8)
    story = game.play(tmp_path / "game.npz", "test", burst(game, 4))
    assert story.events[0] == (
        "step 6: NaN or infinite; back to step 4 with half the learning rate"
    )
    assert [row.step for row in story.history] == [2, 4, 6, 8]
    assert [row.rate for row in story.history] == pytest.approx([2e-3, 2e-3, 1e-3, 1e-3])
    assert all(np.isfinite(weights).all() for weights in weights_of(game))


def test_game_that_diverges_before_its_first_look_starts_again(
    make_game: Any, tmp_path: Path
) -> None:
    game = make_game()
    game._rate_scale.assign(1e30)
    story = game.play(tmp_path / "game.npz", "test")
    assert story.events[0].startswith("step 2: NaN or infinite; back to step 0")
    assert [row.rate for row in story.history] == pytest.approx([1e-3, 1e-3])


def test_game_that_keeps_diverging_is_given_up_after_three_rollbacks(
    make_game: Any, tmp_path: Path
) -> None:
    game = make_game(generator_rate=1e38)
    with pytest.raises(PocketganError, match=r"between steps 0 and 2.*3 rollbacks[\s\S]*Lower"):
        game.play(tmp_path / "game.npz", "test")


def test_network_that_broke_at_the_very_step_of_a_look_is_not_kept(
    make_game: Any, tmp_path: Path
) -> None:
    # The figures of a step are taken before its update, so they are still finite at step 1.
    game = make_game(discriminator_rate=math.inf, check_every=1)
    with pytest.raises(PocketganError, match="between steps 0 and 1"):
        game.play(tmp_path / "game.npz", "test")


# ---------------------------------------------------------------------- interrupted and resumed


def interrupt_at(step: int, error: type[BaseException]) -> Callable[[HistoryRow, np.ndarray], None]:
    def look(row: HistoryRow, frame: np.ndarray) -> None:
        if row.step == step:
            raise error

    return look


def pruned(plain: tf_keras.Model) -> tf_keras.Model:
    return Pruning(plain, {"project": 0.5, "upsample": 0.5}, calls=6, every=1).model


def rounded(plain: tf_keras.Model) -> tf_keras.Model:
    return quantization_aware(fold_batch_norm(plain), latents(1, Purpose.CALIBRATION, 16, 8, 0))


EVERYTHING = {
    "network": "dcgan",
    "r1": 1.0,
    "r1_every": 2,
    "augment": ["shift"],
    "critic_steps": 2,
    "final_rate": 0.1,
    "generator_weights": WeightSettings(l1=1e-4, drop=0.1),
    "discriminator_weights": WeightSettings(l2=1e-4, drop=0.1),
}
GAMES = {
    "with nearly every rule": EVERYTHING,
    "with spectral norm": {"spectral_norm": True},
    "conditional": {"network": "dcgan", "classes": 3},
    "pruning": {"network": "dcgan", "generator": pruned},
    "quantization-aware": {"network": "dcgan", "generator": rounded},
}


@pytest.mark.parametrize("kind", GAMES)
def test_interrupted_game_goes_on_as_if_nothing_had_happened(
    kind: str, make_game: Any, weights_of: Callable[[GANTrainer], Weights], tmp_path: Path
) -> None:
    rules = {"steps": 8, "checkpoint_seconds": 10_000, **GAMES[kind]}
    whole = make_game(**rules)
    story = whole.play(tmp_path / "whole.npz", "test")
    path = tmp_path / "game.npz"
    with pytest.raises(KeyboardInterrupt):
        make_game(**rules).play(path, "test", interrupt_at(6, KeyboardInterrupt))
    state = load_checkpoint(path)
    assert state is not None
    assert state.step == 4
    # Networks that started elsewhere: nothing but the checkpoint can bring them here.
    resumed = make_game(start=99, **rules)
    rest: list[int] = []
    resumed_story = resumed.play(path, "test", lambda row, frame: rest.append(row.step))
    assert rest == [6, 8]
    for game in (whole, resumed):
        game.recalibrate(2)
    assert same(weights_of(whole), weights_of(resumed))
    assert resumed_story.history == story.history
    assert resumed_story.events == story.events
    assert same(resumed_story.frames, story.frames)


def test_killed_game_goes_on_from_its_last_checkpoint(
    make_game: Any, weights_of: Callable[[GANTrainer], Weights], tmp_path: Path
) -> None:
    path = tmp_path / "game.npz"
    with pytest.raises(ZeroDivisionError):  # not an interruption: nothing is saved on the way out
        make_game(steps=8, checkpoint_seconds=0).play(
            path, "test", interrupt_at(6, ZeroDivisionError)
        )
    state = load_checkpoint(path)
    assert state is not None
    assert state.step == 4
    resumed, whole = make_game(start=99, steps=8), make_game(steps=8)
    resumed.play(path, "test")
    whole.play(tmp_path / "whole.npz", "test")
    assert same(weights_of(whole), weights_of(resumed))


def test_checkpoints_wait_for_their_seconds(make_game: Any, tmp_path: Path) -> None:
    path = tmp_path / "game.npz"
    with pytest.raises(ZeroDivisionError):
        make_game(checkpoint_seconds=10_000).play(path, "test", interrupt_at(4, ZeroDivisionError))
    assert not path.exists()


def test_resumed_game_remembers_how_often_it_went_back(make_game: Any, tmp_path: Path) -> None:
    path = tmp_path / "game.npz"
    game = make_game(steps=8)
    diverge, stop = burst(game, 2), interrupt_at(6, KeyboardInterrupt)

    def look(row: HistoryRow, frame: np.ndarray) -> None:
        diverge(row, frame)
        stop(row, frame)

    with pytest.raises(KeyboardInterrupt):
        game.play(path, "test", look)
    state = load_checkpoint(path)
    assert state is not None
    assert (state.step, state.rollbacks, state.rate_scale) == (4, 1, 0.5)
    story = make_game(steps=8).play(path, "test")
    assert story.events[0] == state.events[0]
    assert [row.rate for row in story.history] == pytest.approx([2e-3, 1e-3, 1e-3, 1e-3])


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_game_ignores_a_broken_checkpoint(content: bytes, make_game: Any, tmp_path: Path) -> None:
    path = tmp_path / "game.npz"
    path.write_bytes(content)
    story = make_game(steps=2).play(path, "test")
    assert [row.step for row in story.history] == [2]


def test_game_ignores_a_checkpoint_of_other_networks(make_game: Any, tmp_path: Path) -> None:
    path = tmp_path / "game.npz"
    make_game("dcgan", checkpoint_seconds=0, steps=4).play(path, "test")
    state = load_checkpoint(path)
    assert state is not None
    assert state.step == 4
    seen: list[int] = []
    make_game("dense", steps=2).play(path, "test", lambda row, frame: seen.append(row.step))
    assert seen == [2]


def test_finished_game_is_not_played_again(
    make_game: Any, weights_of: Callable[[GANTrainer], Weights], tmp_path: Path
) -> None:
    path = tmp_path / "game.npz"
    first, again = make_game(checkpoint_seconds=0), make_game(start=99)
    first.play(path, "test")
    seen: list[int] = []
    again.play(path, "test", lambda row, frame: seen.append(row.step))
    assert seen == []
    assert same(weights_of(first), weights_of(again))
