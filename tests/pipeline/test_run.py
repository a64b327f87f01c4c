import errno
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deploy.errors import PocketganError
from pipeline.cli import main
from pipeline.plans import FROM_SCRATCH, plan_of_folder
from pipeline.recipe.plain import to_yaml
from pipeline.recipe.reading import load_recipe
from pipeline.report.run import schema
from pipeline.run import RECORD, Run
from pipeline.stage import SCRATCH, Record
from pipeline.tflite.count import float_ops
from pipeline.tflite.read import read_model
from pipeline.variants import VARIANTS

Command = Callable[..., int]


@pytest.fixture
def command(tiny_recipe: Path, tiny_copy: Path) -> Command:
    """A function that gives a command to the copied run and returns its exit code."""
    return lambda name, *more: main([name, str(tiny_recipe), "--runs", str(tiny_copy), *more])


@pytest.fixture
def open_run(tiny_recipe: Path, tiny_copy: Path) -> Callable[..., Run]:
    """A function that opens the copied run with a changed recipe."""
    return lambda *overrides: Run(load_recipe(str(tiny_recipe), overrides), tiny_copy)


def stage_folder(runs: Path, stage: str) -> Path:
    return Run(load_recipe("digits", ["--name", "tiny"]), runs).path(stage)


def stamps(runs: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in runs.glob("tiny/*/" + RECORD)}


def made_since(before: dict[str, int], runs: Path) -> list[str]:
    return sorted(stage for stage, stamp in stamps(runs).items() if before.get(stage) != stamp)


def spoil(path: Path) -> None:
    """Change one byte in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# ---------------------------------------------------------------------- what a run leaves


def test_run_leaves_a_folder_a_stage_and_nothing_half_written(tiny_runs: Path) -> None:
    inside = {path.name for path in (tiny_runs / "tiny").iterdir()}
    stages = {f"{number}-{name}" for number, name in enumerate(FROM_SCRATCH.names, start=1)}
    assert inside == stages | {"recipe.yaml", ".lock"}
    assert not [*tiny_runs.rglob("*.partial"), *tiny_runs.rglob(".scratch")]


def test_record_names_every_file_of_its_stage_and_every_input(tiny_runs: Path) -> None:
    run = Run(load_recipe("digits", ["--name", "tiny"]), tiny_runs)
    for name, stage in FROM_SCRATCH.stages.items():
        record = run.record(name)
        assert record is not None
        assert {RECORD, *record.outputs} == set(files(run.path(name)))
        assert set(record.inputs) == set(stage.needs)
        left_out = {"translation"}  # all its values are what they are without the section
        assert set(record.settings) == set(stage.settings) - left_out
        assert record.seed == 1
        assert record.seconds > 0
        assert record.versions["tensorflow"].startswith("2.")


def test_record_names_its_files_wherever_the_run_lies(
    tiny_recipe: Path, tiny_runs: Path, tmp_path: Path
) -> None:
    runs = Path(shutil.copytree(tiny_runs, tmp_path / SCRATCH))
    folder = stage_folder(runs, "report")
    shutil.rmtree(folder)
    assert main(["report", str(tiny_recipe), "--runs", str(runs), "--quiet"]) == 0
    record = Record.model_validate_json((folder / RECORD).read_bytes())
    assert {RECORD, *record.outputs} == set(files(folder))


def test_run_keeps_the_whole_recipe_that_made_it(tiny_runs: Path, tiny_recipe: Path) -> None:
    stored = tiny_runs / "tiny" / "recipe.yaml"
    assert stored.read_text() == to_yaml(load_recipe(str(tiny_recipe)))


def test_report_of_a_run_is_valid_and_its_int8_file_has_no_float_operation(
    tiny_runs: Path,
) -> None:
    report = schema.read(tiny_runs / "tiny" / "7-report" / "report.json")
    assert {variant.name for variant in report.variants} >= {"float32", "int8-ptq", "int8"}
    for variant in report.variants:
        file = read_model(tiny_runs / "tiny" / variant.path)
        assert variant.float_ops == len(float_ops(file))
        assert (variant.float_ops == 0) == variant.name.startswith("int8")


# ---------------------------------------------------------------------- fresh or stale


def test_second_run_makes_nothing(command: Command, tiny_copy: Path) -> None:
    before = files(tiny_copy / "tiny"), stamps(tiny_copy)
    assert command("run") == 0
    assert (files(tiny_copy / "tiny"), stamps(tiny_copy)) == before


def test_changed_benchmark_makes_benchmark_and_report_only(
    command: Command, tiny_copy: Path
) -> None:
    before = stamps(tiny_copy)
    assert command("run", "--benchmark.runs", "20") == 0
    assert made_since(before, tiny_copy) == ["6-benchmark", "7-report"]
    report = schema.read(tiny_copy / "tiny" / "7-report" / "report.json")
    assert report.variants[0].measurements[0].runs == 20


CHANGES = {
    "train.steps": ("25", "train"),
    "generator.width": ("8", "train"),
    "data.test_fraction": ("0.3", "train"),
    "seed": ("2", "train"),
    "prune.sparsity": ("0.5", "prune"),
    "quantize.rate": ("0.01", "quantize"),
    "convert.int16x8": ("true", "convert"),
    "evaluate.samples": ("65", "evaluate"),
    "benchmark.warmup": ("3", "benchmark"),
    "report.gates": ("[zeros > 0]", "report"),
}


@pytest.mark.parametrize("key", CHANGES)
def test_changed_setting_makes_its_stage_and_all_that_follow_stale(
    key: str, tiny_runs: Path, tiny_recipe: Path
) -> None:
    value, first = CHANGES[key]
    run = Run(load_recipe(str(tiny_recipe), [f"--{key}", value]), tiny_runs)
    stale = [name for name in FROM_SCRATCH.names if run.staleness(name)]
    following = [name for name in FROM_SCRATCH.names if name == first or first in all_needs(name)]
    assert stale == following
    assert key in run.staleness(first)


def all_needs(name: str) -> set[str]:
    direct = FROM_SCRATCH.stages[name].needs
    return {*direct, *(further for need in direct for further in all_needs(need))}


@pytest.mark.parametrize("name", FROM_SCRATCH.names)
@pytest.mark.parametrize("spoiling", [spoil, Path.unlink])
def test_changed_or_missing_file_makes_its_stage_stale_and_is_named(
    name: str, spoiling: Callable[[Path], None], open_run: Callable[..., Run]
) -> None:
    run = open_run()
    record = run.record(name)
    assert record is not None
    path = max((run.path(name) / file for file in record.outputs), key=lambda it: it.stat().st_size)
    spoiling(path)
    assert run.staleness(name) == f"{path} is missing or was changed"
    assert [other for other in FROM_SCRATCH.names if run.staleness(other)] == [
        other for other in FROM_SCRATCH.names if other == name or name in all_needs(other)
    ]


@pytest.mark.parametrize("content", [b"", b"{", b'{"stage": "train"}', b"\xff\x00"])
def test_broken_record_makes_its_stage_stale(content: bytes, open_run: Callable[..., Run]) -> None:
    run = open_run()
    (run.path("evaluate") / RECORD).write_bytes(content)
    assert run.staleness("evaluate") == "its record is broken"
    assert run.staleness("report") == "evaluate must run first"
    assert not run.staleness("benchmark")


def test_stage_that_was_measured_again_makes_those_that_read_it_stale(
    command: Command, open_run: Callable[..., Run], tiny_copy: Path
) -> None:
    shutil.rmtree(stage_folder(tiny_copy, "benchmark"))
    assert command("run") == 0
    run = open_run()
    measured = json.loads((run.path("benchmark") / "measurements.json").read_text())
    report = schema.read(run.path("report") / "report.json")
    medians = [m.p50_ms for variant in report.variants for m in variant.measurements]
    assert medians == [measurement["p50_ms"] for measurement in measured]


def test_other_data_of_the_same_name_makes_everything_stale(
    tiny_recipe: Path, tiny_runs: Path
) -> None:
    run = Run(load_recipe(str(tiny_recipe)), tiny_runs)
    run.dataset.train.setflags(write=True)
    run.dataset.train[0, 0, 0] ^= 1
    assert "other inputs or data" in run.staleness("train")
    assert all(run.staleness(name) for name in FROM_SCRATCH.names)


# ---------------------------------------------------------------------- bad input


def test_stage_without_its_input_names_it_and_leaves_nothing(
    tiny_recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prune", str(tiny_recipe), "--runs", str(tmp_path), "--quiet"]) == 2
    message = capsys.readouterr().err
    assert "stage prune needs train, but it has not run yet" in message
    assert "pocketgan train RECIPE" in message
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("earlier", ["", "tiny/2-prune/weights.h5", "tiny/recipe.yaml"])
def test_what_was_there_before_a_command_failed_stays(
    earlier: str, tiny_recipe: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "new" / "runs"
    if earlier:
        (runs / earlier).parent.mkdir(parents=True)
        (runs / earlier).write_text("seed: 1")
    assert main(["prune", str(tiny_recipe), "--runs", str(runs), "--quiet"]) == 2
    assert (runs / earlier).is_file() if earlier else [*tmp_path.iterdir()] == []


def test_stage_whose_input_is_of_another_recipe_names_the_key(
    command: Command, tiny_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(tiny_copy / "tiny")
    assert command("report", "--train.steps", "25") == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "stage report needs train, but it was made from something else" in message
    assert "(train.steps: 24 then, 25 now)" in message
    assert files(tiny_copy / "tiny") == before


def test_other_number_of_threads_makes_every_stage_stale_and_is_named(
    open_run: Callable[..., Run],
) -> None:
    assert not open_run("--threads", "2").staleness("report")
    run = open_run("--threads", "3")
    assert "threads: 2 then, 3 now" in run.staleness("train")
    assert all(map(run.staleness, run.plan.names))


def test_threads_are_refused_where_this_process_has_computed_on_others(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("train", "--threads", "3") == 2
    assert "computed in this process on another number of threads" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("count", "words"),
    [("0", "must be > 0"), ("-1", "must be > 0"), ("1000000", "this machine has memory for")],
)
@pytest.mark.parametrize("name", ["run", "compress", "train"])
def test_workers_that_cannot_be_are_refused(
    name: str, count: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [name, "digits", "--workers", count, "--runs", str(tmp_path / "runs")]
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert "workers" in message
    assert words in message
    assert not (tmp_path / "runs").exists()


def test_stage_whose_input_is_half_written_names_the_file(
    command: Command, tiny_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny_copy / "tiny" / "4-convert" / "int8.tflite"
    path.write_bytes(path.read_bytes()[:1000])
    assert command("evaluate", "--quiet") == 2
    assert f"stage evaluate needs convert, but {path} is missing or was changed" in " ".join(
        capsys.readouterr().err.split()
    )


def test_locked_folder_is_refused_and_freed_again(
    command: Command, tiny_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tiny_copy / "tiny" / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert command("run", "--quiet") == 2
        message = capsys.readouterr().err
        assert f"{tiny_copy / 'tiny'}: another pocketgan works in this folder" in message
        assert "--name" in message
    assert command("run", "--quiet") == 0


def test_folder_that_another_has_just_locked_stays(
    open_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = open_run()
    run.folder = tmp_path / "new"
    taken = BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
    monkeypatch.setattr(fcntl, "flock", lambda *_: (_ for _ in ()).throw(taken))
    with pytest.raises(PocketganError, match="another pocketgan"), run.lock():
        pass
    assert run.folder.is_dir(), "both began at once, and the other is at work there"


@pytest.mark.parametrize("begun_again", [True, False])
def test_lock_that_went_with_the_folder_of_another_is_no_lock(
    begun_again: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run, flock = Run(load_recipe("digits", ["--name", "new"]), tmp_path), fcntl.flock
    held = []

    def come_late(*arguments: Any) -> None:
        """Whoever had the lock did nothing and removed the folder; a third has begun anew there."""
        monkeypatch.undo()
        shutil.rmtree(run.folder)
        if begun_again:
            run.folder.mkdir()
            held.append((run.folder / ".lock").open("w"))
            flock(held[0], fcntl.LOCK_EX)
        flock(*arguments)

    monkeypatch.setattr(fcntl, "flock", come_late)
    with pytest.raises(PocketganError, match="another pocketgan"), run.lock():
        pass
    for file in held:
        file.close()


def test_lock_is_lifted_after_an_error(open_run: Callable[..., Run]) -> None:
    run = open_run()
    with pytest.raises(PocketganError, match="first"), run.lock():
        raise PocketganError("first")
    with run.lock():
        pass


@pytest.mark.parametrize("place", ["final", "file"])
def test_full_disk_is_told_and_keeps_what_there_was(
    place: str,
    command: Command,
    tiny_copy: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = files(tiny_copy / "tiny")
    move = os.replace

    def full(source: Path, target: Path) -> None:
        name = {"final": ".6-benchmark.partial", "file": ".measurements.json.partial"}[place]
        if Path(source).name == name:
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        move(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        assert command("benchmark", "--quiet", "--benchmark.runs", "20") == 2
    message = capsys.readouterr().err
    assert "no space is left on the disk" in message
    assert "Make room, then run the command again" in message
    after = files(tiny_copy / "tiny")
    earlier = [path for path in before if path[0] in "12345"]
    assert {path: after[path] for path in earlier} == {path: before[path] for path in earlier}
    assert command("run", "--quiet", "--benchmark.runs", "20") == 0
    assert not [*tiny_copy.rglob("*.partial"), *tiny_copy.rglob("*.old")]


@pytest.mark.parametrize("rest", [(), (".scratch/int8.npz", "key", ".log.txt.partial")])
def test_stage_that_was_killed_when_all_was_written_is_not_made_again(
    rest: tuple[str, ...], command: Command, tiny_copy: Path
) -> None:
    before = files(tiny_copy / "tiny")
    folder = tiny_copy / "tiny" / "6-benchmark"
    record = Record.model_validate_json((folder / RECORD).read_bytes())
    partial = folder.with_name(".6-benchmark.partial")
    folder.rename(partial)
    for name in rest:
        (partial / name).parent.mkdir(exist_ok=True)
        (partial / name).write_text(record.key)
    assert command("benchmark", "--quiet") == 0
    assert files(tiny_copy / "tiny") == before


def test_stage_that_was_killed_while_it_took_the_place_of_another_leaves_that_one(
    command: Command, tiny_copy: Path
) -> None:
    before = files(tiny_copy / "tiny")
    for name in ("6-benchmark", "7-report"):
        folder = tiny_copy / "tiny" / name
        shutil.copytree(folder, folder.with_name(f".{name}.old"))
    shutil.rmtree(tiny_copy / "tiny" / "6-benchmark")
    (tiny_copy / "tiny" / ".recipe.yaml.partial").write_text("half")
    assert command("run", "--quiet") == 0
    assert files(tiny_copy / "tiny") == before


@pytest.mark.parametrize("resumable", [False, True])
def test_refused_stage_leaves_only_what_can_be_resumed(
    resumable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object, folder: Path) -> None:
        place = folder / SCRATCH if resumable else folder
        place.mkdir(exist_ok=True)
        (place / "half").touch()
        raise PocketganError("this generator draws nothing")

    monkeypatch.setattr("pipeline.stages.teacher.load", lambda _: None)
    monkeypatch.setattr("pipeline.stages.teacher.save_teacher", refuse)
    run = Run(load_recipe("digits", ["--teacher.file", "nowhere.keras"]), tmp_path)
    with pytest.raises(PocketganError, match="draws nothing"):
        run.make("teacher")
    assert [path.name for path in tmp_path.rglob("*.partial")] == (
        [".1-teacher.partial"] if resumable else []
    )


def test_runs_folder_that_is_a_file_is_told(
    tiny_recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").write_text("in the way")
    assert main(["run", str(tiny_recipe), "--runs", str(tmp_path / "runs"), "--quiet"]) == 2
    assert f"{tmp_path / 'runs'}" in capsys.readouterr().err


# ---------------------------------------------------------------------- gates and JSON


def test_failed_gate_is_shown_and_exits_3(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("run", "--report.gates", "[float_ops == 0, zeros >= 0.99]") == 3
    message = capsys.readouterr().err
    assert "✗ zeros >= 0.99" in message
    assert "✓ float_ops == 0" in message
    assert command("run", "--report.gates", "[float_ops == 0, zeros >= 0.5]") == 0


def test_failed_gate_fails_again_though_nothing_is_stale(command: Command) -> None:
    assert [command("run", "--quiet", "--report.gates", "[zeros >= 0.99]") for _ in "12"] == [3, 3]


@pytest.mark.parametrize("name", ["run", "report", "evaluate"])
def test_json_is_one_document_and_nothing_else(
    name: str, command: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    assert command(name, "--json") == 0
    out, err = capfd.readouterr()
    message = json.loads(out)
    assert err == ""
    if name == "evaluate":
        assert message["stage"] == "evaluate"
        return
    stages: Sequence[Any] = message["stages"]
    assert [stage["stage"] for stage in stages] == (
        [*FROM_SCRATCH.names] if name == "run" else ["report"]
    )
    assert message["report"]["schema"] == schema.SCHEMA


# ---------------------------------------------------------------------- the same bytes


@pytest.mark.slow
def test_same_recipe_in_another_folder_gives_the_same_bytes(
    tiny_recipe: Path, tiny_runs: Path, tmp_path: Path
) -> None:
    assert main(["run", str(tiny_recipe), "--runs", str(tmp_path), "--quiet"]) == 0
    for name in ("float32", "int8-ptq", "int8-qat", "int8"):
        first, second = (
            (runs / "tiny" / "4-convert" / f"{name}.tflite").read_bytes()
            for runs in (tiny_runs, tmp_path)
        )
        assert first == second, name


@pytest.mark.slow
def test_other_seed_gives_other_bytes(tiny_recipe: Path, tiny_runs: Path, tmp_path: Path) -> None:
    arguments = [str(tiny_recipe), "--runs", str(tmp_path), "--quiet", "--seed", "2"]
    for stage in ("train", "prune", "quantize", "convert"):
        assert main([stage, *arguments]) == 0
    first, second = (
        (runs / "tiny" / "4-convert" / "int8.tflite").read_bytes() for runs in (tiny_runs, tmp_path)
    )
    assert first != second


@pytest.mark.slow
def test_file_does_not_depend_on_what_comes_after_it(
    command: Command, tiny_copy: Path, tiny_runs: Path
) -> None:
    shutil.rmtree(stage_folder(tiny_copy, "convert"))
    changed = ("--benchmark.runs", "20", "--evaluate.samples", "70", "--report.gates", "[]")
    assert command("convert", "--quiet", *changed) == 0
    first, second = (
        (runs / "tiny" / "4-convert" / "int8.tflite").read_bytes()
        for runs in (tiny_runs, tiny_copy)
    )
    assert first == second


@pytest.fixture
def colour_folder(tmp_path: Path) -> str:
    """60 noisy colour pictures of no class and no square shape."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(60):
        noise = random.integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
    return str(folder)


@pytest.mark.slow
def test_conditional_dense_gan_goes_through_every_stage_in_batches_of_three(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    changes = {
        "generator": "{name: dense, width: 4, latent: 8, conditional: true}",
        "discriminator": "{name: dense, width: 4}",
        "convert": "{batch: 3, calibration: 32, int16x8: true}",
        "benchmark.threads": "[1, 2]",
        "report.gates": "[float_ops == 0]",
    }
    more = [word for key, value in changes.items() for word in (f"--{key}", value)]
    assert main(["run", str(tiny_recipe), "--runs", str(tmp_path), "--quiet", *more]) == 0
    report = schema.read(tmp_path / "tiny" / "7-report" / "report.json")
    of_students = {"student-float32"}
    assert [v.name for v in report.variants] == [v for v in VARIANTS if v not in of_students]
    for variant in report.variants:
        assert variant.quality.samples == 64
        assert [m.error for m in variant.measurements] == [None, None]
    model = read_model(tmp_path / "tiny" / "4-convert" / "int8.tflite")
    assert model.inputs[0].shape == (3, 8 + 10)


@pytest.mark.slow
def test_colour_pictures_of_ones_own_go_through_every_stage(
    tiny_recipe: Path, colour_folder: str, tmp_path: Path
) -> None:
    changes = {
        "data": f"{{source: folder, folder: '{colour_folder}', image_size: 32, channels: 3}}",
        "train.loss": "wgan_gp",
        "train.critic_steps": "2",
        "train.augment": "[shift, cutout, brightness]",
        "train.generator_weights.drop": "0.1",
        "discriminator.spectral_norm": "true",
    }
    more = [word for key, value in changes.items() for word in (f"--{key}", value)]
    assert main(["run", str(tiny_recipe), "--runs", str(tmp_path), "--quiet", *more]) == 0
    report = schema.read(tmp_path / "tiny" / "7-report" / "report.json")
    assert report.dataset.shape == (32, 32, 3)
    assert report.judge.task == "tell the four rotations"
    for variant in report.variants:
        assert variant.quality.modes is None
        assert "no labels" in variant.quality.absent["modes"]


@pytest.mark.parametrize(
    ("recipe", "first"),
    [
        ("teacher: {file: dcgan.keras}", "teacher"),
        ("teacher: {file: null}", "train"),
        ("name: old", "train"),
        ("[", "train"),
        ("", "train"),
    ],
)
def test_path_of_a_folder_is_that_of_its_recipe(recipe: str, first: str, tmp_path: Path) -> None:
    assert plan_of_folder(tmp_path).names[0] == "train"
    (tmp_path / "recipe.yaml").write_text(recipe)
    assert plan_of_folder(tmp_path).names[0] == first


def test_stage_that_is_made_again_says_why(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("run", "--benchmark.runs", "20") == 0
    message = " ".join(capsys.readouterr().err.split())
    assert "again: it was made from something else (benchmark.runs: 16 then, 20 now)" in message


def test_record_of_an_older_version_names_the_section_that_it_lacks(
    open_run: Callable[..., Run],
) -> None:
    run = open_run()
    path = run.path("evaluate") / RECORD
    record = json.loads(path.read_text())
    del record["settings"]["convert"]
    path.write_text(json.dumps(record | {"key": "of an older version"}))
    assert "an older version did not record section 'convert'" in run.staleness("evaluate")


def test_teachers_pictures_are_refused_where_there_is_no_teacher(
    tiny_recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--runs", str(tmp_path), "--quiet", "--data.source", "teacher"]
    assert main(["run", str(tiny_recipe), *arguments]) == 2
    assert "data.source: a run without a teacher" in capsys.readouterr().err


def test_size_that_the_generator_cannot_have_is_refused_before_it_is_trained(
    tiny_recipe: Path, colour_folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = {
        "data": f"{{source: folder, folder: '{colour_folder}', image_size: 32, channels: 3, "
        "degrade: grey}",
        "generator": "{name: unet, width: 2}",
        "convert.sizes": "[48x64, 40x32]",
    }
    more = [word for key, value in changes.items() for word in (f"--{key}", value)]
    runs = tmp_path / "runs"
    assert main(["run", str(tiny_recipe), "--runs", str(runs), "--quiet", *more]) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "cannot read pictures of 40x32" in message
    assert "Give multiples of 16 as width and height" in message
    assert not [*runs.glob("tiny/*")]


def test_training_that_memory_cannot_hold_is_refused_with_a_batch_that_it_can(
    tiny_recipe: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("pipeline.stages.training.usable_memory", lambda: 150_672 + 10 * 72_136)
    command = ["train", str(tiny_recipe), "--runs", str(tmp_path / "runs"), "--quiet"]
    assert main(command) == 2
    assert "training needs 0.0 GB of memory" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []
    assert main([*command, "--train.batch", "10", "--train.steps", "2"]) == 0
    assert main([*command, "--train.batch", "11", "--train.steps", "2"]) == 2
    assert "Set train.batch to 10 or less" in capsys.readouterr().err
    monkeypatch.setattr("pipeline.stages.training.usable_memory", lambda: 150_672)
    assert main([*command, "--train.steps", "2"]) == 2
    assert "Set data.image_size to 14, or choose" in capsys.readouterr().err


def test_training_begins_with_what_it_learns_from_and_by_what(
    tiny_recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", str(tiny_recipe), "--runs", str(tmp_path), "--train.steps", "2"]
    assert main(command) == 0
    lines = [line.strip() for line in capsys.readouterr().err.splitlines()]
    assert "digits: 4,000 pictures to train on, 1,000 to judge by, 28×28, grey, 10 classes" in lines
    assert any(line.startswith("trains on ") for line in lines)
    assert f"to watch: {tmp_path}/tiny/training.png" in lines
    assert not (tmp_path / "tiny" / "training.png").exists()


def test_a_folder_of_pictures_may_begin_with_the_home(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folders = {"data.folder": "~/a", "data.inputs": "~/b"}
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for index in range(20):
            Image.new("L", (28, 28), index).save(tmp_path / name / f"{index}.png")
    changes = {"data.source": "pairs", "train.batch": 4, **folders}
    dataset = Run(load_recipe(str(tiny_recipe), changes), tmp_path / "runs").dataset
    assert dataset.train_inputs is not None
    assert (dataset.train_inputs == dataset.train).all()
