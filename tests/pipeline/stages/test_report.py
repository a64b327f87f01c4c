import json

import pytest

from pipeline.lite import count
from pipeline.lite.read import read_model
from pipeline.recipe_file import as_dict
from pipeline.report import schema
from pipeline.run import STAGES, Run


@pytest.fixture
def report(tiny: Run) -> schema.Report:
    return schema.read(tiny.path("report") / "report.json")


def test_report_names_recipe_data_judge_and_every_stage_before_it(
    report: schema.Report, tiny: Run
) -> None:
    assert report.recipe == as_dict(tiny.recipe)
    assert (report.recipe_name, report.seed) == ("tiny", 1)
    assert report.dataset.sha256 == tiny.dataset.sha256
    assert [stage.name for stage in report.stages] == [name for name in STAGES if name != "report"]
    for stage in report.stages:
        record = tiny.record(stage.name)
        assert record is not None
        assert (stage.seconds, list(stage.events)) == (record.seconds, record.events)
    assert report.environment["tensorflow"]


def test_figures_of_a_variant_are_read_off_its_file(report: schema.Report, tiny: Run) -> None:
    for variant in report.variants:
        path = tiny.folder / variant.path
        model = read_model(path)
        assert variant.bytes == path.stat().st_size
        assert variant.zeros == count.zeros(model)
        assert variant.float_ops == len(count.float_ops(model))
        assert sum(kernel.size for kernel in variant.kernels) > 0


def test_quality_and_speed_of_a_variant_are_those_that_were_measured(
    report: schema.Report, tiny: Run
) -> None:
    judged = json.loads((tiny.path("evaluate") / "quality.json").read_text())["variants"]
    timed = json.loads((tiny.path("benchmark") / "measurements.json").read_text())
    for variant, timing in zip(report.variants, timed, strict=True):
        assert variant.quality.frechet == judged[variant.name]["frechet"]
        assert [m.p50_ms for m in variant.measurements] == [timing["p50_ms"]]
        shares = variant.quality.class_histogram
        assert shares is not None
        assert sum(shares) == pytest.approx(1)


def test_only_variants_of_a_fake_quantized_model_tell_how_near_they_are_to_it(
    report: schema.Report,
) -> None:
    near = {variant.name for variant in report.variants if variant.qat_steps is not None}
    assert near == {"int8", "int8-qat"}


def test_page_stands_alone_and_shows_samples_curves_and_film(tiny: Run) -> None:
    page = (tiny.path("report") / "report.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in page
    assert "data:image/gif;base64," in page
    for title in ("train", "prune", "quantize int8", "quantize int8-qat"):
        assert title in page
    assert 'src="http' not in page
