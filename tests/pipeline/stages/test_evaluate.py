import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from pipeline.artifacts import find_variants
from pipeline.cli import main
from pipeline.importers.input_roles import InputKind, InputPart
from pipeline.metrics.judge import FEATURES
from pipeline.metrics.quality import Quality
from pipeline.recipe.reading import load_recipe
from pipeline.run import Run
from pipeline.stage import StageContext
from pipeline.stages import evaluate
from pipeline.stages import inputs as stage_inputs
from pipeline.stages.inputs import HeldBack
from pipeline.training.randomness import Purpose


@pytest.fixture
def figures(tiny: Run) -> dict[str, Any]:
    evaluation: dict[str, Any] = json.loads((tiny.path("evaluate") / "quality.json").read_text())
    return evaluation


def test_every_variant_and_the_floor_have_a_quality(tiny: Run, figures: dict[str, Any]) -> None:
    assert [*figures["variants"]] == [*find_variants(tiny.path("convert"))]
    for evaluation in figures["variants"].values():
        quality = Quality.model_validate(evaluation)
        assert (quality.samples, quality.judge) == (64, figures["judge"]["sha256"])
    assert figures["floor"]["frechet"] < figures["variants"]["float32"]["frechet"]
    assert figures["judge"]["task"] == "tell the classes"
    assert figures["judge"]["accuracy"] > 0.3
    assert figures["judge"]["chance"] == 0.1


def test_variants_are_held_against_float32_on_the_same_latents(figures: dict[str, Any]) -> None:
    assert figures["variants"]["float32"]["psnr"] is None
    assert figures["variants"]["float32"]["absent"]["psnr"]
    assert figures["variants"]["float16"]["psnr"] > 50
    assert 5 < figures["variants"]["int8"]["psnr"] < figures["variants"]["float16"]["psnr"]


def test_samples_are_the_same_latents_through_every_variant(tiny: Run) -> None:
    with np.load(tiny.path("evaluate") / "samples.npz") as samples:
        assert set(samples.files) == {"real", *find_variants(tiny.path("convert"))}
        assert {samples[name].shape for name in samples.files} == {(64, 28, 28, 1)}
        assert {samples[name].dtype for name in samples.files} == {np.dtype(np.uint8)}
        apart = np.abs(samples["float16"].astype(int) - samples["float32"])
        np.testing.assert_array_equal(samples["real"], tiny.dataset.test[:64])
    assert apart.max() <= 1


def judges(runs: Path) -> list[Path]:
    return sorted((runs / ".cache").glob("judge-*.npz"))


def test_judge_is_trained_once_and_kept_for_the_next_evaluation(
    tiny_recipe: Path, tiny_copy: Path, figures: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (judge,) = judges(tiny_copy)
    before = judge.stat().st_mtime_ns
    more = ("--evaluate.samples", "70")
    assert main(["evaluate", str(tiny_recipe), "--runs", str(tiny_copy), *more, "--json"]) == 0
    assert (
        json.loads(capsys.readouterr().out)["metrics"]["judge_accuracy"]
        == (figures["judge"]["accuracy"])
    )
    assert [(path, path.stat().st_mtime_ns) for path in judges(tiny_copy)] == [(judge, before)]


def test_damaged_judge_is_named(
    tiny_recipe: Path, tiny_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (judge,) = judges(tiny_copy)
    judge.write_bytes(judge.read_bytes()[:500])
    more = ("--evaluate.samples", "70", "--quiet")
    assert main(["evaluate", str(tiny_recipe), "--runs", str(tiny_copy), *more]) == 2
    assert str(judge) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("judge", "shape", "installed", "name"),
    [
        ("auto", (32, 48, 3), True, "imagenet"),
        ("auto", (32, 48, 3), False, "trained"),
        ("auto", (32, 32, 1), True, "trained"),
        ("auto", (28, 28, 3), True, "trained"),
        ("trained", (64, 64, 3), True, "trained"),
        ("imagenet", (64, 64, 1), True, "imagenet"),
    ],
)
def test_large_colour_pictures_have_the_published_judge_unless_the_recipe_names_one(
    judge: str,
    shape: tuple[int, ...],
    installed: bool,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluate, "ImageNetJudge", lambda: "imagenet")
    monkeypatch.setattr(evaluate, "_trained_judge", lambda *_: "trained")
    monkeypatch.setattr(evaluate, "weights_file", lambda: Path("weights") if installed else None)
    ctx: Any = SimpleNamespace(
        recipe=load_recipe("digits", {"evaluate.judge": judge}),
        dataset=SimpleNamespace(
            test=np.zeros((1, *shape), np.uint8), channels=None, test_labels=None
        ),
    )
    assert evaluate.find_judge(ctx) == name


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        ({"discriminator": {"name": "projected"}}, "discriminator.name"),
        ({"translation": {"perceptual": 0.5}}, "translation.perceptual"),
        ({"discriminator": {"name": "r3gan"}, "translation": {"perceptual": 0.0}}, ""),
        ({}, ""),
    ],
)
def test_a_judge_that_taught_the_generator_is_said_to_flatter_it(
    settings: dict[str, Any], keys: str
) -> None:
    ctx: Any = SimpleNamespace(
        recipe=load_recipe("digits"),
        dataset=SimpleNamespace(test=np.zeros((1, 28, 28, 1), np.uint8)),
        lineage_settings=lambda: settings,
    )
    published: Any = object.__new__(evaluate.ImageNetJudge)
    remarks = [*evaluate._remarks(ctx, published)]
    assert [f"({keys})" in remark for remark in remarks] == ([True] if keys else [])
    assert not [*evaluate._remarks(ctx, cast(Any, "another"))]


def test_pictures_of_stacked_pictures_are_judged_channel_by_channel(tmp_path: Path) -> None:
    changes = {"data.source": "stacked-digits", "data.channels": 3, "evaluate.judge_steps": 2}
    run = Run(load_recipe("digits", changes), tmp_path)
    ctx = run.context(run.plan.stages["evaluate"], tmp_path)
    judge = evaluate.find_judge(ctx)
    assert len(judge.classes) == 1000
    assert judge.features(ctx.dataset.test[:2]).shape == (2, 3 * FEATURES)


def test_published_judge_of_small_pictures_is_refused_before_anything_runs(
    tiny_recipe: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(evaluate, "published_weights", dict)
    command = ("run", str(tiny_recipe), "--runs", str(tmp_path), "--evaluate.judge", "imagenet")
    assert main([*command, "--quiet"]) == 2
    assert "32 pixels a side" in capsys.readouterr().err
    assert not any(tmp_path.glob("tiny/*-train"))


@pytest.mark.parametrize(("channels", "visible"), [(1, 1), (2, 1), (3, 3), (4, 3), (6, 3)])
def test_mask_of_an_input_is_not_shown_as_its_transparency(channels: int, visible: int) -> None:
    inputs = np.zeros((5, 8, 8, channels), np.uint8)
    beside = evaluate._beside(cast(StageContext, None), HeldBack(inputs, None))
    assert {name: pictures.shape for name, pictures in beside.items()} == {
        "input": (5, 8, 8, visible)
    }


def test_of_an_input_of_several_parts_its_first_picture_is_shown() -> None:
    parts = tuple(
        InputPart(name=kind, kind=kind, size=size)
        for kind, size in ((InputKind.PICTURE, 3), (InputKind.CLASS, 5))
    )
    held_back = HeldBack(np.zeros((5, 8, 8, 8), np.uint8), None, None, parts)
    beside = evaluate._beside(cast(StageContext, None), held_back)
    assert beside["input"].shape == (5, 8, 8, 3)


@pytest.mark.parametrize(("inputs", "batch"), [(4, 1), (20, 16), (35, 4)])
def test_too_few_test_pictures_to_read_are_refused_before_anything_runs(
    inputs: int, batch: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(1)
    for name, count in (("read", inputs), ("drawn", 60)):
        (tmp_path / name).mkdir()
        for number in range(count):
            picture = random.integers(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(picture).save(tmp_path / name / f"{number}.png")
    recipe = tmp_path / "few.yaml"
    recipe.write_text(
        f"""
name: few
data: {{source: domains, folder: {tmp_path}/drawn, inputs: {tmp_path}/read, image_size: 16}}
generator: {{name: unet, width: 2}}
train: {{batch: 2}}
convert: {{batch: {batch}}}
"""
    )
    assert main(["run", str(recipe), "--runs", str(tmp_path / "runs"), "--quiet"]) == 2
    assert "for the test: too few" in capsys.readouterr().err
    assert not (tmp_path / "runs" / "few").exists()


def test_inputs_fill_the_batches_of_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def ten(_ctx: StageContext, _purpose: Purpose, count: int) -> np.ndarray:
        return np.ones(10)[:count]

    monkeypatch.setattr(stage_inputs, "generator_inputs", ten)
    recipe = SimpleNamespace(convert=SimpleNamespace(batch=4))
    ctx = cast(StageContext, SimpleNamespace(recipe=recipe))
    batched = stage_inputs.batched_inputs
    assert [len(batched(ctx, Purpose.CONTROL, count)) for count in (3, 8, 512)] == [4, 8, 8]
