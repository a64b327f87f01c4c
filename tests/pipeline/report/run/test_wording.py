import pytest

from pipeline.report.run.gates import check_all, parse_gate
from pipeline.report.run.schema import TrivialReport
from pipeline.report.run.wording import gates_in_words, headline, wording_of
from tests.pipeline.report.conftest import unmeasured


def test_ordinary_run_has_a_baseline_and_real_pictures(report):
    words = wording_of(report)
    assert words.remarks == {"int8": "ships", "float32": "baseline"}
    assert (words.baseline, words.inputs) == ("float32", "latents")
    assert words.floor == "real against real"


def test_compress_run_has_a_teacher_and_a_student(compressed):
    words = wording_of(compressed)
    assert words.remarks.keys() == {variant.name for variant in compressed.variants}
    assert words.remarks["student-float32"] == "student before rounding"
    assert words.baseline == "float32, the teacher"
    assert words.floor == "real against real"


def test_pictures_of_the_teacher_are_not_called_real(compressed):
    changes = {"real_pictures": False, "reads": "pictures"}
    search = compressed.search.model_copy(update=changes)
    words = wording_of(compressed.model_copy(update={"search": search}))
    assert words.floor == "reference against reference"
    assert words.inputs == "pictures"


def changed(report, name, **changes):
    return report.model_copy(
        update={
            "variants": tuple(
                v.model_copy(update=changes) if v.name == name else v for v in report.variants
            )
        }
    )


def test_headline_tells_size_speed_and_quality(report):
    assert headline(report) == (
        "int8 is 14× smaller gzipped, 5.2× faster, and draws as well: "
        "Fréchet 12.08 against 12.41 (floor 1.18)."
    )


@pytest.mark.parametrize(
    ("frechet", "words"),
    [
        (10.0, "draws better"),
        (13.2, "draws nearly as well"),
        (16.0, "draws a little worse"),
        (90.0, "draws worse"),
    ],
)
def test_headline_words_follow_the_distance(report, frechet, words):
    quality = report.variant("int8").quality.model_copy(update={"frechet": frechet})
    assert f"and {words}: " in headline(changed(report, "int8", quality=quality))


def test_headline_admits_a_file_that_became_bigger_and_slower(report):
    slow = report.variant("int16x8").measurements
    worse = changed(report, "int8", bytes_gzip=2_696_240, measurements=slow)
    assert headline(worse).startswith("int8 is 2× bigger gzipped, 2.9× slower, and")


def test_headline_leaves_out_a_speed_that_was_not_measured(report):
    text = headline(changed(report, "int8", measurements=()))
    assert text.startswith("int8 is 14× smaller gzipped, and draws as well")


def test_headline_says_that_quality_was_not_measured(report):
    quality = unmeasured("no judge", samples=1, seed=1)
    assert "was not measured (int8: no judge)" in headline(changed(report, "int8", quality=quality))


def test_headline_lists_the_files_where_there_is_nothing_to_compare(report):
    lone = report.model_copy(update={"variants": report.variants[1:3]})
    assert headline(lone).startswith("digits: float16, dynamic-range.")


@pytest.mark.parametrize(
    ("frechet", "words"),
    [
        (
            90.0,
            "draws as well: Fréchet 12.08 against 12.41 (floor 1.18, the input 90.00).",
        ),
        (11.0, "loses to doing nothing: Fréchet 12.08 against 12.41"),
    ],
)
def test_headline_of_a_run_without_pairs_is_held_against_the_untouched_input(
    report, frechet, words
):
    quality = report.variant("int8").quality.model_copy(update={"frechet": frechet})
    changes = {
        "trivial": TrivialReport(name="the input", quality=quality),
        "dataset": report.dataset.model_copy(update={"unpaired": True}),
    }
    assert words in headline(report.model_copy(update=changes))


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([], "no gates were asked"),
        (["zeros >= 0"], "the one gate passed"),
        (["zeros >= 0", "zeros <= 1"], "all 2 gates passed"),
        (["zeros >= 0", "zeros >= 1"], "1 of 2 gates failed"),
    ],
)
def test_gates_are_counted_in_words(report, texts, words):
    assert gates_in_words(check_all(tuple(map(parse_gate, texts)), report)) == words


def test_headline_of_a_student_sets_it_beside_its_teacher(compressed):
    assert headline(compressed).startswith("Beside its teacher int8 is 14× smaller gzipped")
