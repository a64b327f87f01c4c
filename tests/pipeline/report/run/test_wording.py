import pytest

from pipeline.report.run.gates import check_all, parse_gate
from pipeline.report.run.schema import TrivialReport
from pipeline.report.run.wording import gates_in_words, headline, speed_doubts, wording_of
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


def test_run_whose_generator_reads_pictures_gives_every_file_the_same_pictures(report):
    trivial = TrivialReport(name="bicubic", quality=report.floor)
    assert wording_of(report.model_copy(update={"trivial": trivial})).inputs == "pictures"


def changed(report, name, **changes):
    return report.model_copy(
        update={
            "variants": tuple(
                v.model_copy(update=changes) if v.name == name else v for v in report.variants
            )
        }
    )


def at_distance(report, **distances):
    for name, frechet in distances.items():
        quality = report.variant(name).quality.model_copy(update={"frechet": frechet})
        report = changed(report, name, quality=quality)
    return report


def test_headline_tells_size_speed_and_quality(report):
    assert headline(report) == (
        "int8 is 14× smaller gzipped, 5.2× faster, and draws as well: "
        "Fréchet 12.08 against 12.41 (floor 5.18)."
    )


@pytest.mark.parametrize(
    ("frechet", "words"),
    [
        (10.0, "draws better"),
        (13.2, "draws nearly as well"),
        (16.0, "draws a little worse"),
        (20.0, "draws worse"),
    ],
)
def test_headline_words_follow_the_distance(report, frechet, words):
    assert f"and {words}: " in headline(at_distance(report, int8=frechet))


@pytest.mark.parametrize(
    ("float32", "int8", "words"),
    [
        (40.0, 30.0, "draws far from the data, if nearer than float32, 5.8× the floor"),
        (40.0, 39.0, "draws as far from the data as float32 does, 7.5× the floor"),
        (40.0, 60.0, "draws worse, and far from the data, 12× the floor"),
    ],
)
def test_several_times_the_floor_is_far_from_the_data_and_not_better(report, float32, int8, words):
    text = headline(at_distance(report, float32=float32, int8=int8))
    figures = f"Fréchet {int8:.2f} against {float32:.2f} (floor 5.18)"
    assert text.endswith(f"and {words}: {figures}. Next: --train.steps 8000.")


def test_few_pictures_are_what_to_try_next_to_longer_training(report):
    few = report.dataset.model_copy(update={"train": 300})
    far = at_distance(report.model_copy(update={"dataset": few}), float32=40.0, int8=40.0)
    assert headline(far).endswith("Next: more pictures than 300, and --train.steps 8000.")


def test_file_that_is_far_alone_is_to_be_rounded_with_more_steps(report):
    assert headline(at_distance(report, int8=30.0)).endswith("Next: --quantize.steps 1600.")


@pytest.mark.parametrize(
    ("float32", "real", "words"),
    [
        (12.0, True, "draws worse, and far from the data"),
        (12.0, False, "draws worse, and far from its teacher's pictures"),
        (30.0, True, "draws as far from the data as float32 does"),
    ],
)
def test_student_that_is_far_needs_a_better_teacher_or_a_larger_budget(
    compressed, float32, real, words
):
    search = compressed.search.model_copy(update={"real_pictures": real})
    far = at_distance(compressed, float32=float32, int8=30.0)
    text = headline(far.model_copy(update={"search": search}))
    assert words in text
    step = "a larger budget" if float32 < 20 else "a teacher that draws better"
    assert text.endswith(f"Next: {step}.")


@pytest.mark.parametrize(("count", "few"), [(99, True), (100, False)])
def test_too_few_pictures_are_in_the_headline(report, count, few):
    data = report.dataset.model_copy(update={"train": count, "test": 6})
    text = headline(report.model_copy(update={"dataset": data}))
    known = "nobody knows how well, for 99 pictures are learnt by heart, and 6 more say little"
    assert (known in text) == few
    assert text.endswith("Next: more pictures.") == few


def test_judge_that_learned_nothing_is_in_the_headline(report):
    judge = report.judge.model_copy(update={"accuracy": 0.28, "chance": 0.25})
    assert headline(report.model_copy(update={"judge": judge})).endswith(
        "and draws nobody knows how well, for its judge learned nothing (right of 28%, where "
        "chance is of 25%): Fréchet 12.08 against 12.41 (floor 5.18). Next: a larger "
        "evaluate.judge_steps."
    )


@pytest.mark.parametrize(
    ("accuracy", "chance", "learned_nothing"),
    [(0.75, 0.75, True), (0.8, 0.75, False), (0.1, 0.25, True), (None, None, False)],
)
def test_judge_is_held_against_who_does_not_look(report, accuracy, chance, learned_nothing):
    judge = report.judge.model_copy(update={"accuracy": accuracy, "chance": chance})
    assert judge.learned_nothing == learned_nothing


def test_speed_of_the_headline_carries_the_mark_of_a_doubtful_figure(report):
    shaken = [m.model_copy(update={"spread": 0.4}) for m in report.variant("int8").measurements]
    doubtful = changed(report, "int8", measurements=tuple(shaken))
    assert headline(doubtful).startswith("int8 is 14× smaller gzipped, ~5.2× faster, and")
    assert list(speed_doubts(doubtful)) == ["int8"]
    assert not speed_doubts(report)


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
            "draws as well: Fréchet 12.08 against 12.41 (floor 5.18, the input 90.00).",
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
        (["zeros >= 0", "recall_drop <= 0.7"], "all 2 gates passed, 1 of which could not fail"),
        (["recall_drop <= 0.7"], "the one gate passed, which could not fail"),
    ],
)
def test_gates_are_counted_in_words(report, texts, words):
    assert gates_in_words(check_all(tuple(map(parse_gate, texts)), report)) == words


def test_headline_of_a_student_sets_it_beside_its_teacher(compressed):
    assert headline(compressed).startswith("Beside its teacher int8 is 14× smaller gzipped")


@pytest.mark.parametrize(
    ("psnr", "words"),
    [
        (28.0, " draws at 28.0 dB to its teacher's pictures (the input: 12.0)."),
        (14.1, " draws far from it, at 14.1 dB to its teacher's pictures (the input: 12.0). Next:"),
        (11.0, " loses to doing nothing: it draws at 11.0 dB to its teacher's pictures"),
    ],
)
def test_student_for_pictures_that_draws_others_at_a_glance_is_called_far(compressed, psnr, words):
    shipped = compressed.variant("int8")
    quality = shipped.quality.model_copy(update={"psnr": psnr, "psnr_truth": None})
    changes = {
        "variants": tuple(
            one.model_copy(update={"quality": quality}) if one.name == "int8" else one
            for one in compressed.variants
        ),
        "trivial": TrivialReport(
            name="the input", quality=quality.model_copy(update={"psnr": 12.0})
        ),
    }
    assert words in headline(compressed.model_copy(update=changes))
