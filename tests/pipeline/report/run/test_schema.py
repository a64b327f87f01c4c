import json

import pytest

from deploy.errors import PocketganError
from pipeline.report.run import schema
from pipeline.report.run.columns import BY_NAME, columns_of
from pipeline.report.run.schema import Report, ReportedQuality
from tests.pipeline.report.conftest import unmeasured


@pytest.fixture
def tree(report):
    return json.loads(schema.dumps(report))


@pytest.fixture
def save(tmp_path):
    def write(tree):
        path = tmp_path / "report.json"
        path.write_text(tree if isinstance(tree, str) else json.dumps(tree))
        return path

    return write


def test_report_survives_writing_and_reading(report, save):
    assert schema.read(save(schema.dumps(report))) == report


def test_report_text_names_schema_and_version(tree):
    assert (tree["schema"], tree["version"]) == ("pocketgan.report", 2)


def test_report_cannot_be_changed(report):
    with pytest.raises(ValueError, match="frozen"):
        report.seed = 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tree: tree.pop("seed"), "'seed'"),
        (lambda tree: tree.update(surprise=1), "'surprise'"),
        (lambda tree: tree["variants"][2].update(zeros=1.5), r"'variants\[2\]\.zeros'"),
        (lambda tree: tree["variants"][2].update(bytes="12"), r"'variants\[2\]\.bytes'"),
        (lambda tree: tree["variants"][0].update(path="/etc/x"), r"'variants\[0\]\.path'"),
        (lambda tree: tree["variants"][0].update(path="../x"), r"'variants\[0\]\.path'"),
        (lambda tree: tree["judge"].update(sha256="abc"), r"'judge\.sha256'"),
        (
            lambda tree: tree["variants"][1]["quality"].update(frechet=None),
            r"'variants\[1\]\.quality'.*frechet",
        ),
        (
            lambda tree: tree["variants"][1]["measurements"][0].update(threads=0),
            r"'variants\[1\]\.measurements\[0\]\.threads'",
        ),
        (
            lambda tree: tree["variants"].append(tree["variants"][0]),
            "more than one is called float32",
        ),
        (lambda tree: tree["variants"].clear(), "'variants'"),
        (lambda tree: tree.update(schema="other"), "'schema'"),
        (lambda tree: tree.update(version=1), "'version' is 1"),
        (lambda tree: tree["stages"][0].update(seconds=float("nan")), r"'stages\[0\]\.seconds'"),
    ],
)
def test_read_names_file_and_field_of_a_defect(tree, save, change, words):
    change(tree)
    path = save(tree)
    with pytest.raises(PocketganError, match=words) as caught:
        schema.read(path)
    assert str(path) in caught.value.problem
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"schema": "x"'])
def test_read_refuses_what_is_not_a_report(save, text):
    with pytest.raises(PocketganError, match=r"report\.json"):
        schema.read(save(text))


def test_read_refuses_bytes_that_are_not_text(tmp_path):
    path = tmp_path / "report.json"
    path.write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(PocketganError, match="not JSON"):
        schema.read(path)


@pytest.mark.parametrize("place", ["nowhere.json", "."])
def test_read_tells_that_a_file_cannot_be_read(tmp_path, place):
    with pytest.raises(PocketganError, match="cannot be read"):
        schema.read(tmp_path / place)


def test_absent_figure_needs_a_reason(report):
    figures = report.floor.model_dump()
    with pytest.raises(ValueError, match="absent without a reason in 'absent': recall"):
        ReportedQuality.model_validate(figures | {"recall": None})


def test_reason_needs_an_absent_figure(report):
    figures = report.floor.model_dump()
    with pytest.raises(ValueError, match="not absent: recall"):
        ReportedQuality.model_validate(figures | {"absent": figures["absent"] | {"recall": "lost"}})


def test_report_of_before_sliced_distances_and_chance_is_read(report, save):
    tree = json.loads(schema.dumps(report))
    del tree["judge"]["chance"]
    for quality in (tree["floor"], *(variant["quality"] for variant in tree["variants"])):
        del quality["sliced_wasserstein"]
    older = schema.read(save(json.dumps(tree)))
    assert not older.judge.learned_nothing
    assert BY_NAME["sliced_wasserstein"] not in columns_of(older)
    assert BY_NAME["sliced_wasserstein"] in columns_of(report)


def test_unmeasured_quality_gives_one_reason_for_every_figure():
    quality = unmeasured("the runtime refused the file", samples=100, seed=1)
    assert quality.frechet is None
    assert set(quality.absent.values()) == {"the runtime refused the file"}


def test_variant_is_found_by_name_or_not_at_all(report):
    assert report.variant("int8") is report.variants[6]
    assert report.variant("int4") is None


def test_failed_gates_are_those_that_did_not_pass(report):
    failed = report.gates[2].model_copy(update={"passed": False})
    changed = report.model_copy(update={"gates": (*report.gates[:2], failed)})
    assert report.failed_gates == ()
    assert changed.failed_gates == (failed,)


def test_report_refuses_a_date_that_is_not_iso(report):
    with pytest.raises(ValueError, match="date"):
        Report.model_validate(report.model_dump(by_alias=True) | {"date": "23.11.2026"})


def test_report_of_an_ordinary_run_says_nothing_of_a_search(tree):
    assert "search" not in tree


def test_search_survives_writing_and_reading(compressed, save):
    assert schema.read(save(schema.dumps(compressed))) == compressed


@pytest.mark.parametrize("which", ["chosen", "taught"])
def test_search_that_chose_a_student_nobody_tried_is_refused(compressed, save, which):
    tree = json.loads(schema.dumps(compressed))
    tree["search"][which] = 99
    with pytest.raises(PocketganError, match="student 99 was chosen, but is not among those"):
        schema.read(save(tree))
