import re
from xml.etree import ElementTree

import pytest

from pipeline.report.run.charts import students_against, unbeaten_at
from pipeline.report.run.schema import AttemptReport
from pipeline.report.run.search import COSTS, GZIP, tightest, view

MACS = next(cost for cost in COSTS if cost.name == "macs")


def changed(search, number, **changes):
    """The search with one of its students changed."""
    tried = tuple(s.model_copy(update=changes) if s.number == number else s for s in search.tried)
    return search.model_copy(update={"tried": tried})


def written(drawing):
    return [text.text for text in ElementTree.fromstring(drawing).iter("text")]


def test_front_holds_finished_students_that_no_other_beats_cheapest_first(search):
    assert [student.number for student in unbeaten_at(GZIP, search)] == [3, 2, 5]
    assert [student.number for student in unbeaten_at(MACS, search)] == [3, 5]


def test_front_leaves_out_a_student_that_was_given_up_however_good(search):
    early = changed(search, 5, finished=False)
    assert [student.number for student in unbeaten_at(GZIP, early)] == [3, 2]


def test_tables_part_the_front_from_the_others_and_mark_what_ships(search):
    section = view(search)
    assert [row.student.number for row in section.front] == [3, 2, 5]
    assert [row.student.number for row in section.others] == [0, 1]
    assert [row.student.number for row in section.front if row.ships] == [5]
    outcomes = {row.student.number: row.outcome for row in (*section.front, *section.others)}
    assert (outcomes[5], outcomes[3]) == ("chosen", "after 600 steps")
    assert outcomes[1] == "given up after 67 steps"


def test_costs_that_no_student_has_get_no_column(search):
    assert [cost.name for cost in view(search).costs] == ["bytes_gzip", "bytes", "macs"]
    assert view(search).front[0].costs == ["6.0", "17.9", "0.104"]
    timed = changed(search, 3, p50_ms=0.0412, absent={"instructions": "it times"})
    assert [cost.name for cost in view(timed).costs][-1] == "p50_ms"


def test_prediction_stands_beside_what_was_measured(search):
    size, zipped, speed = view(search).answers
    assert size[1:4] == ("37.5", "37.5", "0.0%")
    assert zipped[3] == "-1.6%"
    assert speed[1:] == ("–", "0.0295", "–", "no --max-ms was given")


def test_chart_names_the_front_and_the_chosen_one_and_draws_the_budget(search):
    words = written(students_against(GZIP, search))
    assert {"3", "2", "5, chosen", "budget"} <= set(words)
    assert "0" not in words
    free = search.model_copy(update={"limits": {}})
    assert "budget" not in written(students_against(GZIP, free))


@pytest.mark.parametrize(
    ("reads", "distance"),
    [("latents", "Fréchet distance"), ("pictures", "Mean squared difference (of 255)")],
)
def test_distance_is_called_what_students_were_compared_by(search, reads, distance):
    compared = search.model_copy(update={"reads": reads})
    assert f"{distance} to the teacher" in written(students_against(GZIP, compared))


def test_chart_pales_those_that_were_given_up(search):
    ended = changed(search, 1, finished=True)
    pale = r"var\(--ghost\)"
    assert re.search(pale, students_against(GZIP, search))
    assert not re.search(pale, students_against(GZIP, ended))


def test_another_limit_that_binds_gets_a_chart_of_its_own(search):
    assert len(view(search).plots) == 1
    bound = search.model_copy(update={"limits": {"bytes_gzip": 50_000.0, "macs": 250_000.0}})
    assert tightest(bound) is MACS
    assert [plot.title for plot in view(bound).plots] == [
        "Distance to the teacher against expected gzipped size",
        "Distance to the teacher against expected multiply-accumulates",
    ]


def test_student_without_a_distance_is_in_the_table_and_not_in_the_chart(search):
    broken = changed(search, 1, distance=None)
    (row,) = (row for row in view(broken).others if row.student.number == 1)
    assert row.distance == "–"
    assert "number 1:" not in students_against(GZIP, broken)


def test_given_student_needs_no_chart(search):
    only = search.tried[0].model_copy(update={"distance": None, "steps": 0})
    only_one = search.model_copy(update={"tried": (only,), "chosen": 0, "shipped": 0})
    section = view(only_one)
    assert section.plots == []
    assert [row.outcome for row in section.front] == ["chosen"]


def test_search_without_a_finished_student_is_drawn_without_a_line(search):
    early = search
    for student in search.tried:
        early = changed(early, student.number, finished=False)
    assert "5, chosen" in written(students_against(GZIP, early))
    assert [row.student.number for row in view(early).front] == [5]


def test_larger_student_that_ships_in_the_end_is_marked_instead(search):
    attempts = (
        AttemptReport(number=3, words="slim 7→7", frechet_ratio=1.31),
        AttemptReport(number=5, words="slim 11→11", frechet_ratio=1.02),
    )
    later = search.model_copy(update={"chosen": 3, "shipped": 5, "attempts": attempts})
    outcomes = {row.student.number: (row.outcome, row.ships) for row in view(later).front}
    assert outcomes[3] == ("chosen first", False)
    assert outcomes[5] == ("ships", True)
    assert {"3, chosen first", "5, ships"} <= set(written(students_against(GZIP, later)))


@pytest.mark.parametrize("measure", [GZIP, MACS])
def test_same_search_gives_the_same_drawing(search, measure):
    assert students_against(measure, search) == students_against(measure, search)
