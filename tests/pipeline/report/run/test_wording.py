from pipeline.report.run.wording import wording_of


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
