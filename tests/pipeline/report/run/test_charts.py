import re
from xml.etree import ElementTree

import pytest

from pipeline.report.run import charts


def words(chart: str) -> list[str]:
    return [e.text or "" for e in ElementTree.fromstring(chart).iter("text")]


def described(chart: str) -> str:
    return ElementTree.fromstring(chart).find("desc").text


HISTORY = {
    "step": [0.0, 10.0, 20.0],
    "discriminator_loss": [1.0, 0.8, 0.7],
    "generator_loss": [1.0, float("nan"), 1.5],
    "diversity": [0.1, 0.5, 0.9],
    "rate": [2e-4, 2e-4, 2e-4],
}


def all_charts(report):
    return [
        charts.training_curves("train", HISTORY),
        charts.zeros_by_layer(report.variant("int8")),
        charts.bytes_by_layer(report),
        charts.class_histogram(report),
        charts.latencies(report),
        charts.sizes_to_scale(report),
    ]


def test_same_figures_give_the_same_drawing(report):
    assert all_charts(report) == all_charts(report)


def test_training_curves_show_losses_and_diversity_and_skip_gaps():
    chart = charts.training_curves("train", HISTORY)
    assert {"discriminator", "generator", "loss", "diversity"} <= set(words(chart))
    assert "rate" not in words(chart)
    assert "generator loss ends at 1.50" in described(chart)


@pytest.mark.parametrize(
    "history", [{}, {"step": [0.0], "diversity": [float("nan")]}, {"generator_loss": [1.0]}]
)
def test_training_curves_are_none_without_figures(history):
    assert charts.training_curves("train", history) is None


def test_long_training_stays_a_small_drawing():
    steps = [float(step) for step in range(20_000)]
    long = charts.training_curves("train", {"step": steps, "diversity": [s % 7 for s in steps]})
    assert len(long) < 40_000


def test_zeros_are_told_for_every_layer(report):
    chart = charts.zeros_by_layer(report.variant("int8"))
    assert {"dense", "up_14", "up_28", "image"} <= set(words(chart))
    assert "dense: 76.0% of 200,704" in described(chart)


def test_zeros_are_none_without_kernels(report):
    empty = report.variant("int8").model_copy(update={"kernels": ()})
    assert charts.zeros_by_layer(empty) is None


def test_bytes_are_drawn_for_every_variant(report):
    labels = words(charts.bytes_by_layer(report))
    assert {v.name for v in report.variants} <= set(labels)
    assert {"dense", "rest of the file"} <= set(labels)
    assert "other layers" not in labels


def test_bytes_of_small_layers_are_gathered(report):
    many = {f"layer_{number:02}": 1000 * (number + 1) for number in range(12)}
    variant = report.variant("int8").model_copy(update={"bytes_by_layer": many})
    labels = words(charts.bytes_by_layer(report.model_copy(update={"variants": (variant,)})))
    assert "other layers" in labels
    assert "layer_11" in labels
    assert "layer_00" not in labels


def test_classes_are_shown_for_real_baseline_and_shipped(report):
    labels = words(charts.class_histogram(report))
    assert {"real", "float32", "int8", *report.dataset.classes} <= set(labels)


def test_classes_are_none_where_the_judge_knows_none(report):
    def blind(quality):
        return quality.model_copy(update={"class_histogram": None})

    variants = tuple(v.model_copy(update={"quality": blind(v.quality)}) for v in report.variants)
    changed = report.model_copy(update={"floor": blind(report.floor), "variants": variants})
    assert charts.class_histogram(changed) is None


def test_latencies_leave_out_what_was_not_timed(report):
    untimed = report.variant("float16").model_copy(update={"measurements": ()})
    variants = (report.variants[0], untimed)
    labels = words(charts.latencies(report.model_copy(update={"variants": variants})))
    assert "float32" in labels
    assert "float16" not in labels


def test_latencies_are_none_where_nothing_was_timed(report):
    untimed = tuple(v.model_copy(update={"measurements": ()}) for v in report.variants)
    assert charts.latencies(report.model_copy(update={"variants": untimed})) is None


def test_squares_have_the_areas_of_the_files(report):
    chart = charts.sizes_to_scale(report)
    paths = re.findall(r'd="M ([\d.]+) [\d.]+\s+L ([\d.]+) [^"]*" clip-path', chart)
    outer, inner = (float(right) - float(left) for left, right in paths)
    assert (outer / inner) ** 2 == pytest.approx(1_348_120 / 94_730, rel=1e-3)
