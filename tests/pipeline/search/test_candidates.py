from pipeline.networks.settings import StudentSettings
from pipeline.search.budget import FileCost
from pipeline.search.candidates import ENOUGH, STEP_UP, Candidate, choose, front


def candidate(number: int, size: int, score: float, steps: int = 90) -> Candidate:
    return Candidate(
        number=number,
        student=StudentSettings("sub_pixel", 8, (16, 8), 1),
        bits=5,
        zeros=0.3,
        cost=FileCost(bytes=3 * size, bytes_gzip=size, macs=10 * size),
        steps=steps,
        score=score,
        finished=steps == 90,
    )


SMALL, MIDDLE, BEATEN, LARGE = (
    candidate(0, 1000, 9.0),
    candidate(1, 2000, 6.0),
    candidate(2, 2500, 8.0),
    candidate(3, 4000, 5.0),
)
ALL = (LARGE, BEATEN, SMALL, MIDDLE)


def test_front_holds_what_no_other_beats_in_size_and_score() -> None:
    assert front(ALL) == [SMALL, MIDDLE, LARGE]


def test_student_that_ended_early_is_not_compared() -> None:
    early = candidate(4, 500, 1.0, steps=10)
    assert early not in front((*ALL, early))
    assert front([early]) == [early]


def test_best_is_chosen_and_has_nothing_above_it() -> None:
    choice = choose(ALL, smallest=False)
    assert (choice.chosen, choice.ladder) == (LARGE, ())
    assert "Of 4 students within the budget, number 3" in choice.reason
    assert "Fréchet 5.00 after 90 steps" in choice.reason


def test_smallest_that_is_nearly_as_good_is_chosen_with_larger_ones_to_fall_back_on() -> None:
    choice = choose(ALL, smallest=True)
    assert choice.chosen == SMALL
    assert SMALL.score <= ENOUGH * LARGE.score
    assert choice.ladder == (MIDDLE, LARGE)
    assert "is the smallest" in choice.reason


def test_ladder_passes_over_students_of_nearly_the_same_size() -> None:
    near = candidate(5, int(1000 * STEP_UP) - 10, 8.5)
    assert choose((*ALL, near), smallest=True).ladder == (MIDDLE, LARGE)


def test_single_student_is_the_one_that_was_given_or_the_only_one_that_fitted() -> None:
    named = SMALL.model_copy(update={"steps": 0})
    assert choose([named], smallest=False).reason.startswith("The student that was given: ")
    reason = choose([SMALL], smallest=False).reason
    assert reason.startswith("The one that was found to fit the budget: ")


def test_student_in_words() -> None:
    assert SMALL.description == "sub-pixel 16→8, rank 8, 1 mixing, 5 bits, 30% zeros"
    plain = SMALL.model_copy(
        update={"student": StudentSettings("slim", 0, (40,), 0), "bits": 8, "zeros": 0.0}
    )
    assert plain.description == "slim 40, 8 bits"
