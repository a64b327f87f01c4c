from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tf_keras

from pipeline.networks.settings import StudentSettings
from pipeline.networks.translators import TranslatorShape
from pipeline.recipe.reading import load_recipe
from pipeline.search.budget import FileCost
from pipeline.search.candidates import Candidate
from pipeline.stages import student

PIXELS = (-1.0, 1.0)
SHAPE = TranslatorShape(source=(16, 16, 1), image=(16, 16, 1), source_pixels=PIXELS, pixels=PIXELS)


@pytest.mark.parametrize(
    ("adversarial", "matching", "is_asked"),
    [(0.0, 0.0, False), (0.5, 0.0, True), (0.0, 1.0, True)],
)
def test_student_for_pictures_has_a_discriminator_where_a_loss_asks_one(
    adversarial: float, matching: float, is_asked: bool, tmp_path: Path
) -> None:
    weights = {"student.adversarial": adversarial, "student.matching": matching}
    recipe = load_recipe("digits", weights | {"discriminator.width": 2})
    ctx: Any = SimpleNamespace(recipe=recipe, inputs={"teacher": tmp_path})
    builder: Any = SimpleNamespace(teacher=SimpleNamespace(latent=0), translator_shape=SHAPE)
    assert (student._discriminator(ctx, builder) is not None) == is_asked


@pytest.mark.parametrize(
    ("ratios", "written"),
    [
        ((1.02,), "first"),
        ((1.4, 1.02), "second"),
        ((1.4, 1.2, 1.3), "second"),
        ((1.4, 1.3, 1.2), "third"),
        ((1.2, 1.3, 1.4), "first"),
    ],
)
def test_of_students_that_all_draw_too_badly_the_nearest_is_written(
    ratios: tuple[float, ...], written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("first", "second", "third", "fourth")
    first, *ladder = (
        Candidate(
            number=number,
            student=StudentSettings("sub_pixel", 0, (number,), 0),
            bits=8,
            zeros=0,
            cost=FileCost(bytes=1, bytes_gzip=1, macs=1),
            steps=1,
            score=1.0,
            finished=True,
        )
        for number in range(1, len(names) + 1)
    )
    description = dict(zip((one.description for one in (first, *ladder)), names, strict=True))
    trained: list[str] = []

    def train(_: Any, candidate: Candidate) -> student.TrainedStudent:
        trained.append(description[candidate.description])
        port = tf_keras.Input((1,))
        return student.TrainedStudent(
            network=tf_keras.Model(port, tf_keras.layers.Dense(1)(port)),
            discriminator=None,
            pixels=PIXELS,
            imitation_steps=1,
            error=None,
            events=[],
        )

    of_name = dict(zip(names, ratios, strict=False))
    monkeypatch.setattr(student, "_train", train)
    monkeypatch.setattr(student, "_frechet_ratio", lambda *_: of_name[trained[-1]])
    choice = SimpleNamespace(chosen=first, ladder=tuple(ladder))
    monkeypatch.setattr(student, "CHOICE", SimpleNamespace(read=lambda _: choice))
    recipe = load_recipe("digits", {"budget.max_quality_drop": 0.1})
    ctx: Any = SimpleNamespace(recipe=recipe, inputs={"search": tmp_path}, folder=tmp_path)
    metrics = student.student(ctx).metrics
    assert description[metrics["student"]] == trained[-1] == written
    assert [attempt["frechet_ratio"] for attempt in metrics["attempts"]] == list(ratios)
