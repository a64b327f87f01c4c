from pathlib import Path

from pipeline.networks.settings import StudentSettings
from pipeline.recipe.reading import load_recipe
from pipeline.search.budget import FileCost
from pipeline.search.candidates import Candidate, ScoreKind, choose
from pipeline.stages.search import _progress, prospects


def tried(number: int, score: float, gzip: int, finished: bool = True) -> Candidate:
    cost = FileCost(bytes=2 * gzip, bytes_gzip=gzip, macs=100)
    return Candidate(
        number=number, student=StudentSettings(), bits=8, zeros=0, cost=cost, steps=9, score=score,
        finished=finished,
    )  # fmt: skip


def test_progress_names_the_student_that_is_tried_and_the_best_one_yet() -> None:
    students = [tried(0, 9.0, 4000), tried(1, 2.5, 10_240), tried(2, 2.6, 12_000)]
    assert _progress(students, ScoreKind.FRECHET, "sub_pixel") == (
        "search, best Fréchet 2.50 at 10.2 kB: sub_pixel"
    )


def test_progress_knows_no_best_before_a_student_was_tried() -> None:
    assert _progress([], ScoreKind.FRECHET, "slim") == "search: slim"


def test_progress_prefers_a_student_that_was_taught_to_the_end() -> None:
    students = [tried(0, 1.0, 4000, finished=False), tried(1, 3.0, 5000)]
    assert _progress(students, ScoreKind.FRECHET, "slim") == (
        "search, best Fréchet 3.00 at 5.0 kB: slim"
    )


TRIED = [tried(0, 9.0, 4000), tried(1, 6.5, 9000), tried(2, 2.5, 8000), tried(3, 2.6, 4500)]


def test_search_says_what_the_second_half_of_its_trials_brought(tiny_recipe: Path) -> None:
    recipe = load_recipe(str(tiny_recipe), ["--search.trials", "5"])
    choice = choose(TRIED, smallest=False)
    assert prospects(recipe, choice, lambda cost: 9) == [
        "search (5 students tried, 4 within the budget): Fréchet 6.50 after half of them, Fréchet "
        "2.50 at the end; twice the time (--search.trials 10) may bring as much again"
    ]
    assert not prospects(recipe, choose(TRIED[:1], smallest=False), lambda cost: 9)


def test_search_within_minutes_says_how_many_had_the_time(tiny_recipe: Path) -> None:
    values = ("--budget.minutes", "15", "--search.steps", "9", "--search.trials", "4")
    choice = choose(TRIED, smallest=False, kind=ScoreKind.PIXELS)
    steps = iter([9, 5, 9, 9])
    (sentence,) = prospects(load_recipe(str(tiny_recipe), values), choice, lambda _: next(steps))
    assert "4 within the budget, 3 with time for all 9 steps): 40.0 dB to its pictures" in sentence
    assert "(--search.trials 8 --minutes 30)" in sentence


def test_search_for_the_smallest_says_how_small_it_became(tiny_recipe: Path) -> None:
    recipe = load_recipe(str(tiny_recipe), ["--budget.max_quality_drop", "0.05"])
    (sentence,) = prospects(recipe, choose(TRIED, smallest=True), lambda cost: 9)
    assert "Fréchet 9.00 at 4.0 kB after half of them, Fréchet 9.00 at 4.0 kB at the" in sentence
