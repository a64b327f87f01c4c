import dataclasses

import pytest

from deploy.errors import PocketganError
from pipeline.networks.settings import StudentSettings
from pipeline.search.budget import Cost
from pipeline.search.candidates import ENOUGH, STEP_UP, Candidate, choose, dumps, front, loads


def tried(number: int, size: int, score: float, steps: int = 90) -> Candidate:
    return Candidate(
        number=number,
        student=StudentSettings("sub_pixel", 8, (16, 8), 1),
        bits=5,
        zeros=0.3,
        cost=Cost(3 * size, size, 10 * size),
        steps=steps,
        score=score,
        finished=steps == 90,
    )


SMALL, MIDDLE, BEATEN, LARGE = (
    tried(0, 1000, 9.0),
    tried(1, 2000, 6.0),
    tried(2, 2500, 8.0),
    tried(3, 4000, 5.0),
)
ALL = (LARGE, BEATEN, SMALL, MIDDLE)


def test_front_holds_what_no_other_beats_in_size_and_score() -> None:
    assert front(ALL) == [SMALL, MIDDLE, LARGE]


def test_student_that_died_early_is_not_compared() -> None:
    early = tried(4, 500, 1.0, steps=10)
    assert early not in front((*ALL, early))
    assert front([early]) == [early]


def test_best_is_chosen_and_has_nothing_above_it() -> None:
    made = choose(ALL, smallest=False)
    assert (made.chosen, made.ladder) == (LARGE, ())
    assert "Of 4 students within the budget, number 3" in made.reason
    assert "Fréchet 5.00 after 90 steps" in made.reason


def test_smallest_that_is_nearly_as_good_is_chosen_with_larger_ones_to_fall_back_on() -> None:
    made = choose(ALL, smallest=True)
    assert made.chosen == SMALL
    assert SMALL.score <= ENOUGH * LARGE.score
    assert made.ladder == (MIDDLE, LARGE)
    assert "is the smallest" in made.reason


def test_ladder_passes_over_students_of_nearly_the_same_size() -> None:
    near = tried(5, int(1000 * STEP_UP) - 10, 8.5)
    assert choose((*ALL, near), smallest=True).ladder == (MIDDLE, LARGE)


def test_single_student_is_the_one_that_was_given_or_the_only_one_that_fitted() -> None:
    given = SMALL.model_copy(update={"steps": 0})
    assert choose([given], smallest=False).reason.startswith("The student that was given: ")
    found = choose([SMALL], smallest=False).reason
    assert found.startswith("The one that was found to fit the budget: ")


def test_student_in_words() -> None:
    assert SMALL.words == "sub-pixel 16→8, rank 8, 1 mixing, 5 bits, 30% zeros"
    plain = SMALL.model_copy(
        update={"student": StudentSettings("slim", 0, (40,), 0), "bits": 8, "zeros": 0.0}
    )
    assert plain.words == "slim 40, 8 bits"


def test_choice_is_read_back_and_damage_is_named() -> None:
    made = choose(ALL, smallest=True)
    assert loads(dumps(made), "choice.json") == made
    assert dataclasses.asdict(loads(dumps(made), "here").chosen.cost)["bytes_gzip"] == 1000
    for text in ("", "{}", dumps(made)[:200], dumps(made).replace('"bits": 5', '"bits": 9')):
        with pytest.raises(PocketganError, match=r"here/choice\.json is damaged"):
            loads(text, "here/choice.json")
