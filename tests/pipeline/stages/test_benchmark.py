import json
from collections.abc import Callable

from deploy.jobs import Measurement
from pipeline.artifacts import find_variants
from pipeline.run import Run
from pipeline.stage import Record


def test_every_variant_is_measured_with_every_number_of_threads(tiny: Run) -> None:
    figures = json.loads((tiny.path("benchmark") / "measurements.json").read_text())
    measured = [Measurement.model_validate(measurement) for measurement in figures]
    assert [(m.variant, m.threads) for m in measured] == [
        (name, 1) for name in find_variants(tiny.path("convert"))
    ]
    for measurement in measured:
        assert measurement.error is None
        assert measurement.runs == 16
        assert measurement.p50_ms is not None
        assert measurement.p50_ms > 0


def test_median_times_are_on_record_and_the_machine_is_named(
    tiny: Run, record: Callable[[str], Record]
) -> None:
    figures = json.loads((tiny.path("benchmark") / "measurements.json").read_text())
    assert record("benchmark").metrics == {f"p50_ms_{m['variant']}": m["p50_ms"] for m in figures}
    assert json.loads((tiny.path("benchmark") / "machine.json").read_text())
