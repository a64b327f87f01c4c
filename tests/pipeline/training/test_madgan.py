from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipeline.data import digits
from pipeline.networks.settings import Codes
from pipeline.training.objectives.generation import Generation
from pipeline.training.objectives.infogan import code_loss
from pipeline.training.randomness import StepSeeds

AGENTS = Codes(discrete=3)
SEEDS = StepSeeds(1, 0)


def test_logit_and_softmax_over_generators_are_one_softmax_over_all() -> None:
    joint = tf.constant(np.random.default_rng(0).normal(size=[5, 4]), tf.float32)  # real is last
    drawn_by = tf.one_hot([0, 1, 2, 1, 0], 4)
    of_paper = tf.nn.softmax_cross_entropy_with_logits(drawn_by, joint)
    logit = joint[:, 3] - tf.reduce_logsumexp(joint[:, :3], axis=1)
    fake = tf.nn.sigmoid_cross_entropy_with_logits(tf.zeros(5), logit)
    which = code_loss(AGENTS, drawn_by[:, :3], joint[:, :3])
    assert float(tf.reduce_mean(of_paper)) == pytest.approx(
        float(tf.reduce_mean(fake) + which), abs=1e-6
    )


def test_only_the_discriminator_learns_to_tell_the_generators_apart(make_trainer: Any) -> None:
    objective = make_trainer(codes=AGENTS, multi_agent=True).objective
    batch = objective.batch(SEEDS)
    with tf.GradientTape(persistent=True) as tape:
        fakes = objective.generate(batch)
        verdict = objective.judge(batch, fakes, SEEDS, regularize=False)
        loss = objective.generator_loss(batch, fakes, verdict)
        plain = Generation.generator_loss(objective, batch, fakes, verdict)
    head = objective.discriminator.get_layer("codes").trainable_variables
    assert all(np.abs(slope).max() > 0 for slope in tape.gradient(verdict.loss, head))
    assert float(loss) == float(plain)
    assert all(slope is None for slope in tape.gradient(loss, head))


def test_generators_are_told_apart_after_a_short_training(
    make_trainer: Any, tmp_path: Path
) -> None:
    data = digits.load(0.2, seed=1)
    assert data.train_labels is not None
    pictures = data.train[data.train_labels < 2][:, 2:26:3, 2:26:3]
    trainer = make_trainer(
        real_pictures=pictures,
        codes=Codes(discrete=2),
        multi_agent=True,
        steps=150,
        batch=16,
        check_every=150,
        ema=0.8,
    )
    before = trainer.objective.figures()["generators_told_apart"]
    trainer.train(tmp_path / "checkpoint.npz", "test")
    after = trainer.objective.figures()["generators_told_apart"]
    assert after > max(0.7, before + 0.2)
