"""A whole run of a generator that learns without pairs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.cli import main
from pipeline.report.run import schema

RECIPE = """
name: domains
data: {source: domains, folder: PAINTINGS, inputs: PHOTOS, image_size: 8, channels: 3}
generator: {name: unet, width: 2}
discriminator: {width: 2}
train: {steps: 2, batch: 4, check_every: 2, loss: lsgan, augment: [shift]}
prune: {steps: 2, sparsity: 0.5, every: 1}
quantize: {steps: 2, calibration: 16}
convert: {calibration: 16}
evaluate: {samples: 12, judge: trained, judge_steps: 4}
benchmark: {threads: [1], runs: 4, rounds: 1, warmup: 0}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder. For looking at only."""
    folder = tmp_path_factory.mktemp("domains")
    random = np.random.default_rng(1)
    for name, count, brightness in (("photos", 60, 20), ("paintings", 50, 140)):
        (folder / name).mkdir()
        for number in range(count):
            picture = random.integers(brightness, brightness + 100, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(picture).save(folder / name / f"{number}.png")
    recipe = folder / "domains.yaml"
    paths = {name.upper(): str(folder / name) for name in ("photos", "paintings")}
    text = RECIPE
    for name, path in paths.items():
        text = text.replace(name, path)
    recipe.write_text(text)
    assert main(["run", str(recipe), "--quiet", "--runs", str(folder / "runs")]) in (0, 3)
    return folder / "runs" / "domains"


def test_report_holds_it_against_the_untouched_input_by_distance(run: Path) -> None:
    report = schema.read(run / "7-report" / "report.json")
    assert report.dataset.unpaired
    assert report.trivial is not None
    assert report.trivial.name == "the input as it is"
    shipped = report.variant("int8")
    assert shipped is not None
    gates = {gate.text: gate for gate in report.gates}
    gate = gates["frechet_below_trivial > 0"]
    theirs, ours = report.trivial.quality.frechet, shipped.quality.frechet
    assert theirs is not None
    assert ours is not None
    assert gate.value == pytest.approx(theirs - ours)
    page = (run / "7-report" / "report.html").read_text(encoding="utf-8")
    assert f"{report.trivial.name} {theirs:.2f}" in page
