import math
import shutil
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
from pipeline.networks.settings import Codes
from pipeline.training.history import HistoryRow, load_checkpoint
from pipeline.training.losses import LOSSES
from pipeline.training.monitor import PATIENCE
from pipeline.training.randomness import Prior, Purpose, latents
from pipeline.training.settings import WeightSettings
from pipeline.training.trainer import GANTrainer

Weights = list[np.ndarray]
NETWORKS = ("generator", "discriminator")


def same(a: Weights, b: Weights) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(a, b, strict=True))


def assert_moved(before: Weights, after: Weights) -> None:
    assert all(np.isfinite(weights).all() for weights in after)
    assert not same(before, after)


# ---------------------------------------------------------------------- settings


@pytest.mark.parametrize("loss", LOSSES)
def test_training_with_each_loss_trains_both_networks(
    loss: str, make_trainer: Any, tmp_path: Path
) -> None:
    trainer = make_trainer(loss=loss)
    objective = trainer.objective
    generator, discriminator = (
        network.get_weights() for network in (objective.generator, objective.discriminator)
    )
    history = trainer.train(tmp_path / "checkpoint.npz", "test")
    assert_moved(generator, objective.generator.get_weights())
    assert_moved(discriminator, objective.discriminator.get_weights())
    assert [row.step for row in history.rows] == [2, 4]
    assert all(row.finite for row in history.rows)


@pytest.fixture(scope="module")
def plain_generator(
    make_trainer: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[np.ndarray, ...]:
    """The weights of a generator that was trained with the default settings."""
    trainer = make_trainer()
    trainer.train(tmp_path_factory.mktemp("plain") / "checkpoint.npz", "test")
    return tuple(trainer.objective.generator.get_weights())


SETTINGS = {
    "r1": {"r1": 5.0, "r1_every": 2},
    "r2": {"r2": 5.0, "r1_every": 2},
    "spectral norm": {"spectral_norm": True},
    "minibatch deviation": {"minibatch_deviation": True},
    "feature matching": {"feature_matching": 5.0},
    "codes": {"codes": Codes(2)},
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


@pytest.mark.parametrize("setting", SETTINGS)
def test_each_setting_trains_and_makes_a_difference(
    setting: str,
    make_trainer: Any,
    weights_of: Callable[[GANTrainer], Weights],
    plain_generator: tuple[np.ndarray, ...],
    tmp_path: Path,
) -> None:
    trainer = make_trainer(**SETTINGS[setting])
    before = weights_of(trainer)
    history = trainer.train(tmp_path / "checkpoint.npz", "test")
    assert_moved(before, weights_of(trainer))
    assert all(row.finite for row in history.rows)
    assert not same(trainer.objective.generator.get_weights(), [*plain_generator])


def test_training_of_one_seed_has_one_result(
    make_trainer: Any, weights_of: Callable[[GANTrainer], Weights], tmp_path: Path
) -> None:
    trainers = [make_trainer(augment=["shift"], r1=1.0) for _ in range(2)]
    histories = [trainer.train(tmp_path / f"{n}.npz", "test") for n, trainer in enumerate(trainers)]
    assert same(*map(weights_of, trainers))
    assert histories[0].rows == histories[1].rows


def test_conditional_training_tells_both_networks_the_class(
    make_trainer: Any, tmp_path: Path
) -> None:
    trainer = make_trainer(classes=3)
    generator = trainer.objective.generator
    embedding = trainer.objective.discriminator.get_layer("class_embedding")
    before = [generator.get_weights(), embedding.get_weights()]
    assert generator.input_shape == (None, 8 + 3)
    trainer.train(tmp_path / "checkpoint.npz", "test")
    assert_moved(before[0], generator.get_weights())
    assert_moved(before[1], embedding.get_weights())
    class_rows = generator.get_weights()[0][8:] - before[0][0][8:]
    assert (np.abs(class_rows).max(axis=1) > 0).all()


def test_critic_is_updated_critic_steps_times_a_step(make_trainer: Any, tmp_path: Path) -> None:
    trainer = make_trainer(critic_steps=3)
    trainer.train(tmp_path / "checkpoint.npz", "test")
    assert int(trainer._generator_optimizer.iterations) == 4
    assert int(trainer._discriminator_optimizer.iterations) == 12


def test_wgan_keeps_the_critic_within_its_clip(make_trainer: Any, tmp_path: Path) -> None:
    trainer = make_trainer(loss="wgan", clip=0.02)
    trainer.train(tmp_path / "checkpoint.npz", "test")
    largest = [np.abs(weights).max() for weights in trainer.objective.discriminator.get_weights()]
    assert max(largest) == pytest.approx(0.02)


def test_learning_rate_falls_along_half_a_cosine(make_trainer: Any, tmp_path: Path) -> None:
    history = make_trainer(final_rate=0.1, check_every=1).train(tmp_path / "checkpoint.npz", "test")
    shares = [0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * step / 4)) for step in range(4)]
    assert [row.rate for row in history.rows] == pytest.approx([2e-3 * s for s in shares])


def test_weight_penalty_keeps_kernels_small(make_trainer: Any, tmp_path: Path) -> None:
    def size(l2: float) -> float:
        trainer = make_trainer(steps=20, check_every=20, generator_weights=WeightSettings(l2=l2))
        trainer.train(tmp_path / f"{l2}.npz", "test")
        return float(np.abs(trainer.objective.generator.get_weights()[0]).mean())

    assert size(10.0) < 0.95 * size(0.0)


def test_discriminator_sees_real_and_drawn_pictures_augmented(
    make_trainer: Any, tmp_path: Path
) -> None:
    plain, augmented = (
        make_trainer(steps=1, check_every=1, augment=names).train(
            tmp_path / "checkpoint.npz", "test"
        )
        for names in ([], ["cutout"])
    )
    for score in ("real_score", "fake_score"):
        assert getattr(plain.rows[0], score) != getattr(augmented.rows[0], score)


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_dropped_weights_stay_as_they_are_for_that_step(
    network: str, make_trainer: Any, tmp_path: Path
) -> None:
    trainer = make_trainer(steps=1, ema=0.0, **{f"{network}_weights": WeightSettings(drop=0.5)})
    before = {name: getattr(trainer.objective, name).get_weights() for name in NETWORKS}
    trainer.train(tmp_path / "checkpoint.npz", "test")
    for name in NETWORKS:
        after = getattr(trainer.objective, name).get_weights()
        unmoved = np.mean(
            [np.mean(a == b) for a, b in zip(before[name], after, strict=True) if a.ndim > 1]
        )
        assert (unmoved > 0.4) == (name == network), name


def test_teacher_pulls_the_generator_to_its_pictures(make_trainer: Any, tmp_path: Path) -> None:
    teacher = make_trainer(start=7).objective.generator
    inputs = latents(3, Purpose.CONTROL, count=64, prior=Prior(8))

    def apart(trainer: GANTrainer) -> float:
        pictures = trainer.objective.generator(inputs, training=False)
        return float(np.mean(np.square(pictures - teacher(inputs, training=False))))

    settings = {"steps": 40, "check_every": 40, "generator_rate": 0.02, "ema": 0.5}
    with_teacher = make_trainer(teacher=teacher, distill=100.0, **settings)
    alone = make_trainer(**settings)
    before, frozen = apart(with_teacher), teacher.get_weights()
    for name, trainer in (("with_teacher", with_teacher), ("alone", alone)):
        trainer.train(tmp_path / f"{name}.npz", "test")
    assert apart(with_teacher) < 0.5 * before
    assert apart(with_teacher) < 0.5 * apart(alone)
    assert same(frozen, teacher.get_weights())


def test_matching_adds_how_differently_the_discriminator_sees_both_pictures(
    make_trainer: Any,
) -> None:
    teacher = make_trainer(start=3).objective.generator

    def first_loss(matching: float) -> float:
        trainer = make_trainer(teacher=teacher, matching=matching)
        return float(trainer.step(regularize=False)[1])

    plain, some, more = (first_loss(weight) for weight in (0.0, 1.0, 2.0))
    assert some > plain
    assert more - some == pytest.approx(some - plain, rel=1e-3)


def test_kept_generator_is_the_average(make_trainer: Any, tmp_path: Path) -> None:
    trainer = make_trainer(ema=0.9)
    before = trainer.objective.generator.get_weights()
    last: list[Weights] = []

    def on_row(row: HistoryRow, frame: np.ndarray) -> None:
        last[:] = [trainer.objective.generator.get_weights()]

    trainer.train(tmp_path / "checkpoint.npz", "test", on_row)
    averaged = trainer.objective.generator.get_weights()
    assert same(averaged, [shadow.numpy() for shadow in trainer.average.shadows])
    assert not same(averaged, last[0])
    assert not same(averaged, before)


def test_recalibrated_batch_norm_knows_the_averaged_weights(
    make_trainer: Any, tmp_path: Path
) -> None:
    trainer = make_trainer("dcgan", ema=0.5, batch=32)
    trainer.train(tmp_path / "checkpoint.npz", "test")
    generator = trainer.objective.generator
    projected = tf_keras.Model(generator.inputs, generator.get_layer("project").output)
    outputs = projected(latents(3, Purpose.CONTROL, count=2000, prior=Prior(8))).numpy()
    norm = generator.get_layer("project_norm")

    def apart() -> float:
        return float(np.abs(np.sqrt(norm.moving_variance) - outputs.std(axis=0)).mean())

    before = apart()
    trainer.recalibrate()
    assert apart() < 0.2 * before


@pytest.mark.parametrize("frames", [2, 3, 5])
def test_film_has_as_many_frames_as_asked_from_first_to_last(
    frames: int, make_trainer: Any, tmp_path: Path
) -> None:
    trainer = make_trainer(steps=8, check_every=1, film_frames=frames)
    first = trainer.fixed_pictures()
    history = trainer.train(tmp_path / "checkpoint.npz", "test")
    assert len(history.frames) == frames
    assert all(frame.shape == (64, 8, 8, 1) and frame.dtype == np.uint8 for frame in history.frames)
    np.testing.assert_array_equal(history.frames[0], first)
    np.testing.assert_array_equal(history.frames[-1], trainer.fixed_pictures())


def test_every_row_comes_with_the_pictures_of_the_fixed_latents(
    make_trainer: Any, tmp_path: Path
) -> None:
    frames: list[tuple[int, tuple[int, ...]]] = []
    history = make_trainer(steps=5).train(
        tmp_path / "checkpoint.npz",
        "test",
        lambda row, frame: frames.append((row.step, frame.shape)),
    )
    assert frames == [(2, (64, 8, 8, 1)), (4, (64, 8, 8, 1)), (5, (64, 8, 8, 1))]
    assert [row.step for row in history.rows] == [2, 4, 5]


def test_unknown_loss_or_augmentation_is_refused_before_the_game(make_trainer: Any) -> None:
    with pytest.raises(PocketganError, match=r"train\.loss"):
        make_trainer(loss="hinged")
    with pytest.raises(PocketganError, match=r"train\.augment"):
        make_trainer(augment=["shfit"])


def test_pictures_that_are_all_the_same_are_refused(make_trainer: Any) -> None:
    with pytest.raises(PocketganError, match=r"32 pictures .* all the same"):
        make_trainer(real_pictures=np.full([32, 8, 8, 1], 7, np.uint8))


# ---------------------------------------------------------------------- warnings and rollbacks


def nullify(network: tf_keras.Model) -> tf_keras.Model:
    network.set_weights([np.zeros_like(weights) for weights in network.get_weights()])
    return network


def test_generator_that_draws_one_picture_is_a_mode_collapse(
    make_trainer: Any, tmp_path: Path
) -> None:
    trainer = make_trainer(generator=nullify, check_every=1, steps=PATIENCE + 1)
    history = trainer.train(tmp_path / "checkpoint.npz", "test")
    assert [row.diversity for row in history.rows] == [0.0] * (PATIENCE + 1)
    (event,) = history.events
    assert event.startswith(f"step {PATIENCE}: mode collapse: ")


def test_discriminator_that_says_the_same_of_all_pictures_is_blind(
    make_trainer: Any, tmp_path: Path
) -> None:
    trainer = make_trainer(check_every=1, steps=PATIENCE)
    nullify(trainer.objective.discriminator)
    history = trainer.train(tmp_path / "checkpoint.npz", "test")
    assert any(event.startswith(f"step {PATIENCE}: blind disc") for event in history.events)


def burst(trainer: GANTrainer, step: int) -> Callable[[HistoryRow, np.ndarray], None]:
    """At that row let the learning rate grow beyond all bounds, once."""
    bursts = iter([1])

    def on_row(row: HistoryRow, frame: np.ndarray) -> None:
        if row.step == step and next(bursts, None):
            trainer._rate_scale.assign(1e30)

    return on_row


def test_training_that_diverges_goes_back_and_on_with_half_the_rate(
    make_trainer: Any, weights_of: Callable[[GANTrainer], Weights], tmp_path: Path
) -> None:
    trainer = make_trainer(steps=8)
    history = trainer.train(tmp_path / "checkpoint.npz", "test", burst(trainer, 4))
    assert history.events[0] == (
        "step 6: NaN or infinite; back to step 4 with half the learning rate"
    )
    assert [row.step for row in history.rows] == [2, 4, 6, 8]
    assert [row.rate for row in history.rows] == pytest.approx([2e-3, 2e-3, 1e-3, 1e-3])
    assert all(np.isfinite(weights).all() for weights in weights_of(trainer))


def test_training_that_diverges_before_its_first_look_starts_again(
    make_trainer: Any, tmp_path: Path
) -> None:
    trainer = make_trainer()
    trainer._rate_scale.assign(1e30)
    history = trainer.train(tmp_path / "checkpoint.npz", "test")
    assert history.events[0].startswith("step 2: NaN or infinite; back to step 0")
    assert [row.rate for row in history.rows] == pytest.approx([1e-3, 1e-3])


def test_training_that_keeps_diverging_is_given_up_after_three_rollbacks(
    make_trainer: Any, tmp_path: Path
) -> None:
    trainer = make_trainer(generator_rate=1e38)
    with pytest.raises(PocketganError, match=r"between steps 0 and 2.*3 rollbacks[\s\S]*Lower"):
        trainer.train(tmp_path / "checkpoint.npz", "test")


def test_network_that_broke_at_the_very_step_of_a_look_is_not_kept(
    make_trainer: Any, tmp_path: Path
) -> None:
    # The figures of a step are taken before its update, so they are still finite at step 1.
    trainer = make_trainer(discriminator_rate=math.inf, check_every=1)
    with pytest.raises(PocketganError, match="between steps 0 and 1"):
        trainer.train(tmp_path / "checkpoint.npz", "test")


# ---------------------------------------------------------------------- interrupted and resumed


def interrupt_at(step: int, error: type[BaseException]) -> Callable[[HistoryRow, np.ndarray], None]:
    def on_row(row: HistoryRow, frame: np.ndarray) -> None:
        if row.step == step:
            raise error

    return on_row


def pruned(plain: tf_keras.Model) -> tf_keras.Model:
    return Pruning(plain, {"project": 0.5, "upsample": 0.5}, calls=6, every=1).model


def rounded(plain: tf_keras.Model) -> tf_keras.Model:
    return quantization_aware(
        fold_batch_norm(plain), latents(1, Purpose.CALIBRATION, count=16, prior=Prior(8))
    )


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
TRAININGS = {
    "with nearly every setting": EVERYTHING,
    "with spectral norm": {"spectral_norm": True},
    "with codes": {"codes": Codes(2, 3)},
    "conditional": {"network": "dcgan", "classes": 3},
    "pruning": {"network": "dcgan", "generator": pruned},
    "quantization-aware": {"network": "dcgan", "generator": rounded},
}


QUICK = ("with nearly every setting", "pruning", "quantization-aware")


@pytest.mark.parametrize(
    "kind",
    [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in TRAININGS],
)
def test_killed_training_goes_on_as_if_nothing_had_happened(
    kind: str, make_trainer: Any, weights_of: Callable[[GANTrainer], Weights], tmp_path: Path
) -> None:
    settings = {"steps": 8, "checkpoint_seconds": 0, **TRAININGS[kind]}
    whole, path = make_trainer(**settings), tmp_path / "checkpoint.npz"

    def keep_what_a_kill_would_leave(row: HistoryRow, frame: np.ndarray) -> None:
        if row.step == 6:
            shutil.copy(tmp_path / "whole.npz", path)

    history = whole.train(tmp_path / "whole.npz", "test", keep_what_a_kill_would_leave)
    state = load_checkpoint(path)
    assert state is not None
    assert state.step == 4
    # Networks that started elsewhere: nothing but the checkpoint can bring them here.
    resumed = make_trainer(start=99, **settings)
    rest: list[int] = []
    resumed_history = resumed.train(path, "test", lambda row, frame: rest.append(row.step))
    assert rest == [6, 8]
    for trainer in (whole, resumed):
        trainer.recalibrate(2)
    assert same(weights_of(whole), weights_of(resumed))
    assert resumed_history.rows == history.rows
    assert resumed_history.events == history.events
    assert same(resumed_history.frames, history.frames)


def test_interrupted_training_is_saved_on_the_way_out_and_goes_on_from_there(
    make_trainer: Any, weights_of: Callable[[GANTrainer], Weights], tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.npz"
    with pytest.raises(KeyboardInterrupt):
        make_trainer(steps=8, checkpoint_seconds=10_000).train(
            path, "test", interrupt_at(6, KeyboardInterrupt)
        )
    state = load_checkpoint(path)
    assert state is not None
    assert state.step == 4
    resumed, whole = make_trainer(start=99, steps=8), make_trainer(steps=8)
    resumed.train(path, "test")
    whole.train(tmp_path / "whole.npz", "test")
    assert same(weights_of(whole), weights_of(resumed))


def test_checkpoints_wait_for_their_seconds(make_trainer: Any, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    with pytest.raises(ZeroDivisionError):
        make_trainer(checkpoint_seconds=10_000).train(
            path, "test", interrupt_at(4, ZeroDivisionError)
        )
    assert not path.exists()


def test_resumed_training_remembers_how_often_it_went_back(
    make_trainer: Any, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.npz"
    trainer = make_trainer(steps=8)
    diverge, stop = burst(trainer, 2), interrupt_at(6, KeyboardInterrupt)

    def on_row(row: HistoryRow, frame: np.ndarray) -> None:
        diverge(row, frame)
        stop(row, frame)

    with pytest.raises(KeyboardInterrupt):
        trainer.train(path, "test", on_row)
    state = load_checkpoint(path)
    assert state is not None
    assert (state.step, state.rollbacks, state.rate_scale) == (4, 1, 0.5)
    history = make_trainer(steps=8).train(path, "test")
    assert history.events[0] == state.history.events[0]
    assert [row.rate for row in history.rows] == pytest.approx([2e-3, 1e-3, 1e-3, 1e-3])


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_training_ignores_a_broken_checkpoint(
    content: bytes, make_trainer: Any, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(content)
    history = make_trainer(steps=2).train(path, "test")
    assert [row.step for row in history.rows] == [2]


def test_training_ignores_a_checkpoint_of_other_networks(make_trainer: Any, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    make_trainer("dcgan", checkpoint_seconds=0, steps=4).train(path, "test")
    state = load_checkpoint(path)
    assert state is not None
    assert state.step == 4
    steps: list[int] = []
    make_trainer("dense", steps=2).train(path, "test", lambda row, frame: steps.append(row.step))
    assert steps == [2]


def test_finished_training_is_not_played_again(
    make_trainer: Any, weights_of: Callable[[GANTrainer], Weights], tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.npz"
    first, again = make_trainer(checkpoint_seconds=0), make_trainer(start=99)
    first.train(path, "test")
    steps: list[int] = []
    again.train(path, "test", lambda row, frame: steps.append(row.step))
    assert steps == []
    assert same(weights_of(first), weights_of(again))
