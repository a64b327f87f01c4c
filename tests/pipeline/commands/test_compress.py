"""A generator and a budget, through the command, to a finished run."""

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.artifacts import find_variants
from pipeline.cli import main
from pipeline.commands.compress import (
    L1_OF_COPIES,
    MATCHING_OF_COPIES,
    _name,
    _sha256,
    _share,
    parse_compress,
    run_of,
)
from pipeline.importers.input_pictures import FEWEST_INPUTS
from pipeline.importers.saved_teacher import read_saved_teacher
from pipeline.plans import FROM_TEACHER
from pipeline.recipe.reading import load_recipe
from pipeline.recipe.sections import Recipe
from pipeline.report.run import schema
from pipeline.run import RECORD, Run
from pipeline.stage import Record
from pipeline.tflite.read import read_model

Compress = Callable[..., int]


def run_in(runs: Path) -> Run:
    return Run(load_recipe(str(runs / "small" / "recipe.yaml")), runs)


def record_of(run: Run, stage: str) -> Record:
    existing = run.record(stage)
    assert existing is not None
    return existing


def stamps(runs: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in runs.glob("small/*/" + RECORD)}


def made_since(before: dict[str, int], runs: Path) -> list[str]:
    return sorted(stage for stage, stamp in stamps(runs).items() if before.get(stage) != stamp)


# ---------------------------------------------------------------------- what a run leaves


def test_run_leaves_a_folder_a_stage_and_nothing_half_written(small_runs: Path) -> None:
    stages = {f"{number}-{name}" for number, name in enumerate(FROM_TEACHER.names, start=1)}
    inside = {path.name for path in (small_runs / "small").iterdir()}
    assert inside == stages | {"recipe.yaml", ".lock"}
    assert not [*small_runs.rglob("*.partial"), *small_runs.rglob(".scratch")]


def test_record_names_every_file_of_its_stage_and_every_input(small_runs: Path) -> None:
    run = run_in(small_runs)
    for name, stage in FROM_TEACHER.stages.items():
        record, folder = record_of(run, name), run.path(name)
        existing = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
        assert {RECORD, *record.outputs} == existing
        assert set(record.inputs) == set(stage.needs)
        left_out = {"translation"}  # all its values are what they are without the section
        assert set(record.settings) == set(stage.settings) - left_out
        assert not run.staleness(name)


def test_recipe_of_the_run_is_taken_over_and_its_budget_becomes_gates(
    small_runs: Path, tiny_runs: Path
) -> None:
    recipe = run_in(small_runs).recipe
    of_teacher = load_recipe(str(tiny_runs / "tiny" / "recipe.yaml"))
    assert (recipe.seed, recipe.data, recipe.train, recipe.discriminator) == (
        *(of_teacher.seed, of_teacher.data, of_teacher.train, of_teacher.discriminator),
    )
    assert recipe.generator.latent == of_teacher.generator.latent
    assert recipe.teacher.file == tiny_runs / "tiny"
    assert recipe.teacher.discriminator == tiny_runs / "tiny" / "1-train" / "discriminator.keras"
    assert recipe.report.gates == ["float_ops == 0", "bytes_gzip <= 5000"]


@pytest.fixture
def recipe_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recipe]:
    """A function that gives the recipe of a command; whether its students can be made is not
    tried."""

    def unchecked(recipe: Recipe, _: object, runs: Path) -> Run:
        return Run(recipe, runs)

    monkeypatch.setattr("pipeline.commands.compress.admitted", unchecked)
    return lambda *words: run_of(*parse_compress([*words])).recipe


@pytest.mark.parametrize(
    ("teachers", "steps"),
    [(24, (24, 24)), (2500, (2500, 2000)), (4000, (3000, 2000)), (8000, (4000, 4000))],
)
def test_student_plays_and_is_rounded_for_half_of_its_teachers_steps_but_long_enough(
    teachers: int,
    steps: tuple[int, int],
    recipe_of: Callable[..., Recipe],
    tiny_runs: Path,
    tmp_path: Path,
) -> None:
    shutil.copytree(tiny_runs / "tiny", tmp_path / "tiny")
    recipe_file = tmp_path / "tiny" / "recipe.yaml"
    text = recipe_file.read_text()
    assert "steps: 24" in text
    recipe_file.write_text(text.replace("steps: 24", f"steps: {teachers}"))
    command = [str(tmp_path / "tiny"), "--max-gzip-kb", "5", "--runs", str(tmp_path)]
    recipe = recipe_of(*command)
    assert (recipe.student.steps, recipe.quantize.steps) == steps
    recipe = recipe_of(*command, "--quantize.steps", "7")
    assert (recipe.student.steps, recipe.quantize.steps) == (steps[0], 7)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_gates_of_ones_own_stand_beside_those_of_the_budget(
    recipe_of: Callable[..., Recipe], tiny_runs: Path, tmp_path: Path
) -> None:
    command = [str(tiny_runs / "tiny"), "--max-gzip-kb", "5", "--max-quality-drop", "5%"]
    gates = ("--report.gates", "[recall_drop <= 0.1, bytes_gzip<=4000]", "--runs", str(tmp_path))
    assert recipe_of(*command, *gates).report.gates == [
        *("recall_drop <= 0.1", "bytes_gzip<=4000"),
        *("float_ops == 0", "frechet_ratio <= 1.050000"),
    ]


@pytest.fixture
def tfjs(tmp_path: Path) -> Path:
    """The model.json of a generator of pictures of any size, its weights beside it."""
    values = np.random.default_rng(1).normal(size=(3, 3, 3, 3)).astype("f")
    conv = {"name": "conv", "filters": 3, "kernel_size": [3, 3], "padding": "same"}
    port = {"name": "in", "batch_input_shape": [None, None, None, 3]}
    layers = [
        {"class_name": "InputLayer", "config": port},
        {"class_name": "Conv2D", "config": conv | {"use_bias": False, "activation": "tanh"}},
    ]
    topology = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    weights = [{"name": "conv/kernel", "shape": values.shape, "dtype": "float32"}]
    manifest = [{"paths": ["w.bin"], "weights": weights}]
    (tmp_path / "tfjs").mkdir()
    (tmp_path / "tfjs" / "w.bin").write_bytes(values.tobytes())
    path = tmp_path / "tfjs" / "model.json"
    path.write_text(json.dumps({"modelTopology": topology, "weightsManifest": manifest}))
    return path


def test_generator_in_several_files_is_known_by_all_of_them(tfjs: Path) -> None:
    before = _sha256(tfjs)
    assert _sha256(tfjs) == before
    weights = tfjs.parent / "w.bin"
    weights.write_bytes(bytes(4) + weights.read_bytes()[4:])
    assert _sha256(tfjs) != before


def test_size_of_pictures_is_in_the_recipe_and_reaches_the_stage(
    tfjs: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(FEWEST_INPUTS):
        Image.fromarray(np.full((16, 16, 3), number, np.uint8)).save(photos / f"{number}.png")
    command = [
        str(tfjs),
        "--inputs",
        str(photos),
        "--input-pixels",
        "-1",
        "1",
        "--max-kb",
        "9",
        "--max-macs",
        "99999",
    ]
    command += ["--input-size", "16x16", "--teacher.cut", "whole", "--runs", str(tmp_path / "runs")]
    run = run_of(*parse_compress(command))
    assert run.recipe.teacher.input_size == "16x16"
    run.make("teacher")
    model = read_saved_teacher(run.path("teacher")).model
    assert model.input_shape == (None, 16, 16, 3)


def test_student_without_real_pictures_is_rounded_with_a_smaller_penalty(
    recipe_of: Callable[..., Recipe], tiny_runs: Path, tmp_path: Path
) -> None:
    command = [str(tiny_runs / "tiny"), "--max-gzip-kb", "5", "--runs", str(tmp_path)]
    with_pictures, without, by_hand = (
        recipe_of(*command, *more).quantize.l1
        for more in ((), ("--data-free",), ("--data-free", "--quantize.l1", "0.5"))
    )
    assert (with_pictures, without, by_hand) == (3e-5, L1_OF_COPIES, 0.5)
    matchings = [
        recipe_of(*command, *more).student.matching
        for more in ((), ("--data-free",), ("--data-free", "--student.matching", "0.5"))
    ]
    assert matchings == [0.0, MATCHING_OF_COPIES, 0.5]


def test_int8_file_keeps_the_budget_and_float32_is_the_teachers(
    small_runs: Path, tiny_runs: Path
) -> None:
    report = schema.read(run_in(small_runs).path("report") / "report.json")
    teachers = schema.read(tiny_runs / "tiny" / "7-report" / "report.json")
    by_name = {variant.name: variant for variant in report.variants}
    assert [*by_name] == ["float32", "int8-ptq", "student-float32", "int8"]
    assert by_name["int8"].float_ops == by_name["int8-ptq"].float_ops == 0
    assert by_name["int8"].bytes_gzip <= 5000
    assert by_name["float32"].macs == teachers.variants[0].macs
    assert by_name["float32"].parameters == teachers.variants[0].parameters
    assert by_name["float32"].quality.frechet == teachers.variants[0].quality.frechet
    assert not report.failed_gates


def test_expected_cost_is_near_that_of_the_file(small_runs: Path) -> None:
    run = run_in(small_runs)
    expected = record_of(run, "search").metrics["expected"]
    file = read_model(find_variants(run.path("convert"))["int8"])
    assert 0.8 < file.size / expected["bytes"] < 1.25
    assert file.size_gzip <= 5000


def test_search_game_and_rounding_say_what_more_time_would_bring(small_runs: Path) -> None:
    run = run_in(small_runs)
    said = {
        "search": r"search \(3 students tried, 3 within the budget\): Fréchet \S+ after half of",
        "student": r"game: Fréchet \S+ after half of its 8 steps, Fréchet .*--student.steps 16\)",
        "quantize": r"int8: rounding, last round: \S+ dB to what it drew .*--quantize.steps 16\)",
    }
    for stage, words in said.items():
        assert re.match(words, record_of(run, stage).events[-1])


def test_page_stands_alone(small_runs: Path) -> None:
    page = (run_in(small_runs).path("report") / "report.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in page
    assert 'src="http' not in page


# ---------------------------------------------------------------------- again


def test_second_call_does_nothing(small_copy: Path, compress: Compress) -> None:
    before = stamps(small_copy)
    assert compress(small_copy) == 0
    assert made_since(before, small_copy) == []


@pytest.mark.slow
def test_longer_teaching_keeps_the_search(small_copy: Path, compress: Compress) -> None:
    before = stamps(small_copy)
    assert compress(small_copy, "--student.imitate", "9") == 0
    assert made_since(before, small_copy)[0] == "3-student"


@pytest.mark.slow
@pytest.mark.parametrize("left_out", ["imitate", "steps"])
def test_student_may_do_without_its_imitation_or_its_game(
    left_out: str, small_copy: Path, compress: Compress
) -> None:
    assert compress(small_copy, f"--student.{left_out}", "0") == 0
    assert (run_in(small_copy).path("student") / "film.png").is_file()


def test_failed_gate_exits_3_and_the_result_as_json_is_one_document(
    small_copy: Path, compress: Compress, capfd: pytest.CaptureFixture[str]
) -> None:
    assert compress(small_copy, "--report.gates", "[bytes_gzip <= 10]", "--json") == 3
    out, err = capfd.readouterr()
    assert err == ""
    document = json.loads(out)
    assert [stage["stage"] for stage in document["stages"]] == [*FROM_TEACHER.names]
    assert document["report"]["gates"][0]["passed"] is False


def test_stage_of_the_other_path_is_refused(
    small_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = str(small_copy / "small" / "recipe.yaml")
    assert main(["prune", recipe, "--runs", str(small_copy), "--quiet"]) == 2
    refusal = " ".join(capsys.readouterr().err.split())
    assert "has no stage prune" in refusal
    assert "teacher, search, student" in refusal


# ---------------------------------------------------------------------- killed


KILLED = """
import os, signal, sys
from pipeline.{module} import {name} as original
import pipeline.{module} as module
calls = 0
def dying(*args, **kwargs):
    global calls
    calls += 1
    if calls == {call}:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*args, **kwargs)
module.{name} = dying
from pipeline.artifacts import find_variants
from pipeline.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "name", "call", "stage"),
    [
        ("search.study", "_work", 4, "2-search"),
        ("stages.training", "build_latent_discriminator", 1, "3-student"),
    ],
)
def test_killed_run_goes_on_where_it_was(
    module: str, name: str, call: int, stage: str, small_copy: Path, compress_arguments: Any
) -> None:
    """Killed at the search's second rung, or after the imitation; the command then ends alike."""
    arguments = [*compress_arguments(small_copy), "--name", "killed", "--data-free"]
    code = KILLED.format(module=module, name=name, call=call)
    killed = subprocess.run([sys.executable, "-c", code, *arguments], check=False)
    assert killed.returncode == -signal.SIGKILL
    partial = small_copy / "killed" / f".{stage}.partial"
    assert partial.is_dir()
    assert main(arguments) == 0
    assert not partial.exists()
    tried = json.loads((small_copy / "killed" / "2-search" / "choice.json").read_text())["tried"]
    assert len(tried) == 3


@pytest.mark.slow
def test_same_recipe_gives_the_same_bytes(
    small_runs: Path, tmp_path: Path, compress: Compress
) -> None:
    assert compress(tmp_path) == 0
    first, second = run_in(small_runs), run_in(tmp_path)
    for name, file in find_variants(first.path("convert")).items():
        other = second.path("convert") / file.name
        assert file.read_bytes() == other.read_bytes(), name
    chosen = [(run.path("search") / "choice.json").read_bytes() for run in (first, second)]
    assert chosen[0] == chosen[1]


# ---------------------------------------------------------------------- options


def test_share_may_be_written_with_a_percent_sign() -> None:
    assert [float(_share(text)) for text in ("5%", "0.05", "12.5 %")] == [0.05, 0.05, 0.125]


@pytest.mark.parametrize(
    ("path", "arguments", "expected"),
    [
        ("dcgan.keras", ("--max-gzip-kb", "12"), "dcgan-12kbgz"),
        ("v1.5", ("--max-kb", "3", "--max-ms", "0.1"), "v1.5-3kb-0.1ms"),
        (".best.keras", ("--max-kb", "3"), "best-3kb"),
        ("dcgan.keras", ("--max-quality-drop", "5%", "--data-free"), "dcgan-5pctdrop-free"),
    ],
)
def test_run_is_called_after_generator_and_budget(
    path: str, arguments: tuple[str, ...], expected: str, tmp_path: Path
) -> None:
    (tmp_path / "v1.5").mkdir()
    options, rest = parse_compress([path, *arguments])
    assert (_name(tmp_path / path, options), rest) == (expected, [])


# ---------------------------------------------------------------------- bad input


@pytest.fixture
def refusal(
    tiny_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> Callable[..., str]:
    """A function: compress with these arguments is refused with one message, and leaves nothing."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object, generator: Path | None = tiny_runs / "tiny") -> str:
        before = sorted(tmp_path.rglob("*"))
        named = [str(generator)] if generator else []
        assert main(["compress", *named, *map(str, arguments)]) == 2
        out, err = capfd.readouterr()
        assert out == ""
        assert err.count("pocketgan") >= 1
        assert "Traceback" not in err
        assert sorted(tmp_path.rglob("*")) == before
        return " ".join(err.split())

    return call


BUDGET = ("--max-gzip-kb", "5")
BAD_BUDGETS: tuple[tuple[tuple[str, ...], str], ...] = (
    ((), "how large or slow its student may be was not said"),
    (("--max-kb", "0"), "max_kb"),
    (("--max-kb", "-3"), "max_kb"),
    (("--max-kb", "nan"), "max_kb"),
    (("--max-macs", "1.5"), "max_macs"),
    (("--max-ms", "fast"), "max_ms"),
    (("--max-quality-drop", "abc"), "--max-quality-drop abc is no share"),
    (("--max-quality-drop", "5"), "--max-quality-drop 5 would let the distance grow by 500%"),
    (("--max-quality-drop", "0%"), "--max-quality-drop 0% is no share above 0"),
    (("--max-quality-drop", "-5%"), "--max-quality-drop -5% is no share above 0"),
    (("--max-gzip-kb", "0.5"), "is smaller than any student: the smallest reachable has"),
    (("--max-macs", "100"), "is smaller than any student: the smallest reachable has"),
    (("--max-kb", "5000"), "the budget is met at once"),
    (("--max-kb",), "expected one argument"),
    (("--max-kb", "5", "--minutes", "1e300"), "budget.minutes: 1e+300 is more than two years"),
)


@pytest.mark.parametrize(("arguments", "named"), BAD_BUDGETS)
def test_bad_budget_is_refused(
    arguments: tuple[str, ...], named: str, refusal: Callable[..., str]
) -> None:
    assert named in refusal(*arguments)


BAD_OPTIONS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("--max-kbs", "3"), "--max-kbs"),
    (("extra",), "extra"),
    (("--search.blocks", "[round]"), "there is no block 'round'"),
    (("--search.trials", "0"), "search.trials"),
    (("--search.study", "nowhere/study.journal"), "study at nowhere/study.journal cannot be"),
    (("--search.study", "nosuch://database"), "search.study: a database's address has no place"),
    (("--storage", "nosuch://database"), "storage nosuch://database cannot be opened"),
    (("--artifacts", "folder"), "--artifacts is what workers of a --storage fetch"),
    (("--storage", "sqlite:///new.db", "--artifacts", __file__), "cannot be written to"),
    (("--data", "nowhere"), "there is no source 'nowhere'"),
    (("--data-folder", "nowhere"), "nowhere does not exist"),
    (("--discriminator", "nowhere.keras"), "nowhere.keras"),
    (("--inputs", "nowhere"), "reads latents, not pictures"),
    (("--convert.sizes", "[64x64]"), "convert.sizes is for generators that read pictures"),
    (("--threads", "0"), "threads: 0 must be > 0"),
    (("--minutes", "30"), "minutes are reckoned for pictures only"),
    (("--pixels", "1"), "expected 2 arguments"),
    (("--name", "a/b"), "cannot be the name of a folder"),
    (
        ("--search.student", '{"block": "sub_pixel", "rank": 4, "channels": [4], "mixers": 0}'),
        "cannot draw pictures of 28×28",
    ),
    (
        ("--search.student", '{"block": "slim", "rank": 4, "channels": [4], "mixers": 0}'),
        "groups of channels",
    ),
)


@pytest.mark.parametrize(("arguments", "named"), BAD_OPTIONS)
def test_bad_option_is_refused(
    arguments: tuple[str, ...], named: str, refusal: Callable[..., str]
) -> None:
    assert named in refusal(*BUDGET, *arguments)


def test_generator_must_be_named_and_be_one(refusal: Callable[..., str], tiny_runs: Path) -> None:
    assert "required: generator" in refusal(*BUDGET, generator=None)
    assert "nowhere.keras" in refusal(*BUDGET, generator=Path("nowhere.keras"))
    discriminator = tiny_runs / "tiny" / "1-train" / "discriminator.keras"
    assert "discriminator" in refusal(*BUDGET, generator=discriminator)


def test_student_is_no_teacher_of_this_kind(refusal: Callable[..., str], small_runs: Path) -> None:
    assert "small" in refusal(*BUDGET, generator=small_runs / "small")


def test_target_that_counts_instructions_has_no_milliseconds(
    refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.search import space

    class Counted:
        class latency:  # noqa: N801
            unit = "instructions"

    monkeypatch.setattr(space, "calibration_of", lambda target: Counted)
    assert "tells no milliseconds" in refusal("--max-ms", "1", "--target", "arm:cortex-a53")


NPU = ("--target", "npu:ethos-u55-128")


def test_npu_has_no_time_that_a_budget_could_hold(refusal: Callable[..., str]) -> None:
    assert "no time but its compiler's estimate" in refusal("--max-ms", "1", *NPU)


def test_flash_is_limited_on_npus_only(refusal: Callable[..., str]) -> None:
    said = refusal("--max-flash-kb", "64")
    assert "target local tells nothing of flash" in said
    assert "--target npu:ethos-u55-" in said


def test_flash_without_the_compiler_says_what_installs_it(
    refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("POCKETGAN_CACHE", str(tmp_path))
    assert "pocketgan targets install npu" in refusal("--max-flash-kb", "64", *NPU)


@pytest.mark.slow
def test_budget_of_flash_gives_a_student_that_the_npu_runs_whole(
    compress: Callable[..., int], tmp_path: Path
) -> None:
    from deploy.targets import vela
    from pipeline.report.run.schema import read

    if not vela.ENVIRONMENT.ready:
        pytest.skip("pocketgan targets install npu")
    limits = ("--max-flash-kb", "9", *NPU, "--search.blocks", "[sub_pixel, transposed]")
    assert compress(tmp_path, *limits, "--search.trials", "1", "--report.gates", "[]") in (0, 3)
    report = read(next((tmp_path / "small").glob("*-report/report.json")))
    shipped = report.variant("int8")
    assert shipped is not None
    assert report.search is not None
    [compiled] = [m.npu for m in shipped.measurements if m.npu]
    assert compiled.on_cpu == ()
    gate = next(gate for gate in report.gates if "flash_bytes" in gate.text)
    assert gate.text == "flash_bytes <= 9000"
    assert gate.value == compiled.flash_bytes
    assert report.search.limits["flash_bytes"] == 9000
    expected = next(p for p in report.search.predictions if p.quantity == "flash_bytes")
    assert expected.predicted == pytest.approx(compiled.flash_bytes, rel=0.15)


@pytest.mark.parametrize("given", [(), ("--max-macs", "5000")])
def test_limit_of_work_that_follows_from_the_generator_is_said(
    given: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shape = (None, 16, 32, 3)
    model = SimpleNamespace(input_shape=shape, output_shape=shape)
    teacher = SimpleNamespace(latent=0, classes=0, model=model)
    stand_ins: dict[str, Any] = {
        "_sha256": lambda _: "0" * 64,
        "_most_macs": lambda *_: 7500,
        "teacher_of": lambda *_: teacher,
        "admitted": lambda recipe, *_: SimpleNamespace(recipe=recipe),
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setitem(run_of.__globals__, name, stand_in)
    recipe = run_of(*parse_compress(["x.keras", "--inputs", "photos", *given])).recipe
    said = " ".join(capfd.readouterr().err.split())
    assert recipe.budget.max_macs == (5000 if given else 7500)
    assert ("at most 7,500 multiply-accumulates a picture" in said) is (not given)
    assert ("--max-macs N" in said) is (not given)
