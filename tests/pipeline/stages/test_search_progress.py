from pipeline.networks.settings import StudentSettings
from pipeline.search.budget import FileCost
from pipeline.search.candidates import Candidate, ScoreKind
from pipeline.stages.search import _progress


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
