import math
from typing import Any

import pytest
import tensorflow as tf

from deploy.errors import PocketganError
from pipeline.training.losses import (
    LOSSES,
    SMOOTHED,
    AdversarialLoss,
    Verdict,
    find_loss,
    gradient_penalty,
    slope_penalty,
)
from pipeline.training.randomness import StepSeeds
from pipeline.training.settings import TrainSettings

LOG3 = math.log(3)  # the logit of 3/4
SURE, UNSURE = math.log(4 / 3), math.log(4)  # -log of 3/4 and of 1/4

# loss, real logits, drawn logits, smoothing, the discriminator's loss, the generator's loss
KNOWN = (
    ("minimax", [LOG3], [-LOG3], 0.0, 2 * SURE, -SURE),
    ("minimax", [LOG3], [-LOG3], 0.2, 0.8 * SURE + 0.2 * UNSURE + SURE, -SURE),
    ("non_saturating", [LOG3], [-LOG3], 0.0, 2 * SURE, UNSURE),
    (
        "non_saturating",
        [LOG3, -LOG3],
        [0.0, 0.0],
        0.0,
        (SURE + UNSURE) / 2 + math.log(2),
        math.log(2),
    ),
    ("lsgan", [1.0, 0.5], [0.5, -0.5], 0.0, 0.1875, 0.625),
    ("lsgan", [1.0, 0.5], [0.5, -0.5], 0.1, 0.1675, 0.625),
    ("hinge", [2.0, 0.0], [-2.0, 0.5], 0.0, 1.25, 0.75),
    ("wgan", [3.0, 1.0], [0.5, -1.5], 0.0, -2.5, 0.5),
    ("wgan_gp", [3.0, 1.0], [0.5, -1.5], 0.0, -2.5, 0.5),
    ("relativistic", [LOG3, 5.0], [0.0, 5.0 + LOG3], 0.0, *[(SURE + UNSURE) / 2] * 2),
    ("relativistic", [2 * LOG3], [LOG3], 0.0, SURE, UNSURE),
)


@pytest.mark.parametrize(("name", "real", "fake", "smoothing", "discriminator", "generator"), KNOWN)
def test_loss_is_what_its_formula_gives(
    name: str,
    real: list[float],
    fake: list[float],
    smoothing: float,
    discriminator: float,
    generator: float,
) -> None:
    loss = find_loss(name)
    logits = [tf.constant(values)[:, None] for values in (real, fake)]
    assert float(loss.discriminator(*logits, smoothing)) == pytest.approx(discriminator, abs=1e-6)
    assert float(loss.generator(*logits)) == pytest.approx(generator, abs=1e-6)


def test_every_loss_has_a_known_answer_here() -> None:
    assert {name for name, *_ in KNOWN} == set(LOSSES)


@pytest.mark.parametrize("name", LOSSES)
def test_generator_gains_by_a_higher_score_whatever_the_loss(name: str) -> None:
    score = tf.Variable([[-0.5]])
    with tf.GradientTape() as tape:
        loss = LOSSES[name].generator(tf.constant([[0.5]]), score)
    assert float(tape.gradient(loss, score)[0, 0]) < 0


def test_unknown_loss_lists_those_there_are() -> None:
    with pytest.raises(PocketganError, match=r"train\.loss: .*'hinged'[\s\S]*minimax.*wgan_gp"):
        find_loss("hinged")


SLOPE = tf.reshape(tf.constant([2.0, -1.0, 2.0, 0.0]), [2, 2, 1])  # of length 3


def linear(pictures: Any) -> Any:
    return tf.reduce_sum(pictures * SLOPE, axis=[1, 2, 3])[:, None]


def bowl(pictures: Any) -> Any:
    """Its slope is as long as the picture."""
    return 0.5 * tf.reduce_sum(tf.square(pictures), axis=[1, 2, 3])[:, None]


def pictures_of_length(length: float) -> Any:
    return tf.fill([6, 2, 2, 1], length / 2)


def test_slope_penalty_of_a_linear_discriminator_is_half_its_slope_squared() -> None:
    assert float(slope_penalty(linear, tf.random.stateless_normal([5, 2, 2, 1], [1, 2]))) == 4.5


def test_slope_penalty_is_the_mean_over_the_batch() -> None:
    batch = tf.concat([pictures_of_length(1.0), pictures_of_length(3.0)], axis=0)
    assert float(slope_penalty(bowl, batch)) == pytest.approx((0.5 + 4.5) / 2)


@pytest.mark.parametrize(
    ("settings", "penalty"),
    [
        ({"r1": 3.0}, 3 * 0.5),
        ({"r2": 5.0}, 5 * 4.5),
        ({"r1": 3.0, "r2": 5.0, "r1_every": 2}, 2 * (3 * 0.5 + 5 * 4.5)),
    ],
)
def test_r1_is_taken_at_real_pictures_and_r2_at_generated_ones(
    settings: dict[str, float], penalty: float
) -> None:
    adversarial = AdversarialLoss(TrainSettings(**{"r1_every": 1, **settings}))
    assert adversarial.regularizes_at(2)

    def loss(*, regularize: bool) -> float:
        verdict = adversarial.judge(
            pictures_of_length(1.0),
            pictures_of_length(3.0),
            score_real=bowl,
            score_fake=bowl,
            seeds=StepSeeds(1, 2),
            regularize=regularize,
        )
        return float(verdict.loss)

    assert loss(regularize=True) - loss(regularize=False) == pytest.approx(penalty, rel=1e-5)


def test_gradient_penalty_of_a_linear_discriminator_is_known() -> None:
    real, fake = (tf.random.stateless_normal([5, 2, 2, 1], [1, part]) for part in (1, 2))
    assert float(gradient_penalty(linear, real, fake, [3, 4])) == pytest.approx(4.0)


def test_gradient_penalty_looks_between_the_real_and_the_drawn_pictures() -> None:
    seed = tf.constant([3, 4])
    ends = {
        length: float(gradient_penalty(bowl, *[pictures_of_length(length)] * 2, seed))
        for length in (1.0, 3.0)
    }
    assert ends == {1.0: pytest.approx(0.0, abs=1e-6), 3.0: pytest.approx(4.0)}
    between = gradient_penalty(bowl, pictures_of_length(1.0), pictures_of_length(3.0), seed)
    assert 0.1 < float(between) < 3.9


@pytest.mark.parametrize("name", LOSSES)
def test_only_losses_with_labels_are_smoothed(name: str) -> None:
    real, fake = tf.constant([[0.3], [1.2]]), tf.constant([[-0.4], [0.9]])
    loss = LOSSES[name].discriminator
    differs = float(loss(real, fake, 0.0)) != float(loss(real, fake, 0.2))
    assert differs == (name in SMOOTHED)


@pytest.mark.parametrize("loss", LOSSES)
def test_discriminator_that_its_loss_is_content_with_is_always_right(loss: str) -> None:
    """Logits that the loss leads to, a little beside them; and the same the other way round."""
    perfect = {"lsgan": (1.0, 0.0), "relativistic": (30.0, 10.0), "wgan": (-2.0, -3.0)}
    real, fake = (
        tf.constant([[place - 0.01], [place + 0.01]]) for place in perfect.get(loss, (9.0, -9.0))
    )
    adversarial = AdversarialLoss(TrainSettings(loss=loss))
    nothing = tf.zeros([])
    assert float(adversarial.accuracy(Verdict(nothing, real, fake))) == 1
    assert float(adversarial.accuracy(Verdict(nothing, fake, real))) == 0
    assert adversarial.saturates == (not loss.startswith("wgan"))
