from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tf_keras

from pipeline.stage import StageContext
from pipeline.stages import training
from pipeline.stages.prospects import Prospects, prospect, train_and_look_ahead
from pipeline.training.history import HistoryRow
from pipeline.training.trainer import GANTrainer

Ratings = list[float]


@pytest.fixture
def make(ctx: Callable[..., StageContext]) -> Callable[..., tuple[GANTrainer, Prospects, Ratings]]:
    """A function that makes a training of 4 steps, prospects by its weights, and their ratings."""

    def one(steps: str = "4") -> tuple[GANTrainer, Prospects, Ratings]:
        context = ctx("--train.steps", steps, "--train.check_every", "1", "--train.batch", "4",
                      "--train.checkpoint_seconds", "0", "--seed", "3")  # fmt: skip
        tf_keras.utils.set_random_seed(3)
        trainer = training.trainer(
            context, training.build_networks(context), settings=context.recipe.train
        )
        ratings: Ratings = []

        def rate() -> float:
            (generator,) = trainer.objective.generators
            ratings.append(float(np.mean([np.abs(w).mean() for w in generator.get_weights()])))
            return ratings[-1]

        more = "--train.steps 8"
        return trainer, Prospects(what="game", rate=rate, text="{:.9f}".format, more=more), ratings

    return one


def test_sentence_holds_both_ratings_and_how_to_prolong_it() -> None:
    assert prospect("x", half="1 dB", work="its 8 steps", end="2 dB", more="--minutes 30") == (
        "x: 1 dB after half of its 8 steps, 2 dB at the end; twice the time (--minutes 30) may "
        "bring as much again"
    )


def test_training_is_rated_twice_and_left_as_it_would_be(
    make: Callable[..., tuple[GANTrainer, Prospects, Ratings]], tmp_path: Path
) -> None:
    plain, rated = make()[0], make()
    plain.train(tmp_path / "plain.npz", "")
    plain.recalibrate()
    history, sentence = train_and_look_ahead(
        rated[0], tmp_path / "c.npz", description="", on_row=lambda *_: None, prospects=rated[1]
    )
    half, end = rated[2]
    assert half != end
    assert f"game: {half:.9f} after half of its 4 steps, {end:.9f} at the end" in sentence
    assert [row.step for row in history.rows] == [1, 2, 3, 4]
    for one, other in zip(
        plain.objective.generators[0].get_weights(),
        rated[0].objective.generators[0].get_weights(),
        strict=True,
    ):
        assert one.tobytes() == other.tobytes()


def test_half_is_rated_as_a_training_is_that_ends_there(
    make: Callable[..., tuple[GANTrainer, Prospects, Ratings]], tmp_path: Path
) -> None:
    ratings = []
    for steps in ("4", "2"):
        trainer, prospects, of_one = make(steps)
        train_and_look_ahead(
            *(trainer, tmp_path / f"{steps}.npz"),
            description="",
            on_row=lambda *_: None,
            prospects=prospects,
        )
        ratings.append(of_one)
    (half, _), (_, end) = ratings
    assert half == end


@pytest.mark.parametrize("at", [1, 3])
def test_training_that_was_killed_has_the_same_to_say(
    at: int, make: Callable[..., tuple[GANTrainer, Prospects, Ratings]], tmp_path: Path
) -> None:
    def dying(row: HistoryRow, frame: np.ndarray) -> None:
        if row.step > at:
            raise InterruptedError

    def look(name: str, on_row: Callable[..., None]) -> str:
        trainer, prospects, _ = make()
        return train_and_look_ahead(
            trainer, tmp_path / name, description="", on_row=on_row, prospects=prospects
        )[1]

    whole = look("whole.npz", lambda *_: None)
    with pytest.raises(InterruptedError):
        look("broken.npz", dying)
    assert look("broken.npz", lambda *_: None) == whole
