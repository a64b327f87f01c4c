"""What trials read, in one file: the same scores of it as of the run, and nothing that runs."""

import io
import zipfile
from pathlib import Path

import pytest
import tf_keras

from deploy.errors import PocketganError
from pipeline.commands.compress import parse_compress, run_of
from pipeline.networks.registry import build_generator
from pipeline.networks.settings import GeneratorSettings, ImageShape
from pipeline.plans import FROM_TEACHER
from pipeline.search.calibration import with_random_weights
from pipeline.search.study import STARTS
from pipeline.search.trials import TrialWork, reach_rung
from pipeline.stage import SCRATCH, StageContext
from pipeline.stages.search_context import search_context
from pipeline.stages.trial_files import pack, read_trial_files, unpack


@pytest.fixture
def ctx(tmp_path: Path) -> StageContext:
    """Of the search of a run whose teacher is ready: a small generator of latents."""
    model = build_generator(GeneratorSettings(width=16, latent=8), ImageShape(28))
    with_random_weights(model).save(tmp_path / "teacher.keras")
    options, overrides = parse_compress(
        [
            *(str(tmp_path / "teacher.keras"), "--runs", str(tmp_path / "runs"), "--quiet"),
            *("--max-gzip-kb", "6", "--teacher.lessons", "128", "--search.steps", "9"),
            *("--evaluate.samples", "64", "--evaluate.judge_steps", "4"),
        ]
    )
    run = run_of(options, overrides)
    run.make("teacher")
    (tmp_path / "stage" / SCRATCH).mkdir(parents=True)
    return run.context(FROM_TEACHER.stages["search"], tmp_path / "stage")


def test_trial_scores_the_same_by_the_file_as_by_the_run(ctx: StageContext, tmp_path: Path) -> None:
    content = pack(ctx)
    assert pack(ctx) == content
    assert [*ctx.scratch.iterdir()] == []
    sent = tmp_path / "sent"
    sent.mkdir()
    unpack(content, sent)
    work = TrialWork(number=0, parameters={**STARTS[-1], "rank": 8}, rung=1)
    (tmp_path / "elsewhere").mkdir()
    there = reach_rung(read_trial_files(sent, tmp_path / "elsewhere"), work)
    assert there is not None
    assert there == reach_rung(search_context(ctx), work)


def test_network_that_would_run_code_is_refused(tmp_path: Path) -> None:
    network = tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.Lambda(lambda x: x)])
    network.save(tmp_path / "generator.keras")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(tmp_path / "generator.keras", "generator.keras")
    (tmp_path / "folder").mkdir()
    with pytest.raises(PocketganError, match="would run code"):
        unpack(packed.getvalue(), tmp_path / "folder")


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        (None, "cannot be read: .*not a zip file"),
        ({"../outside.txt": b""}, r"cannot be read: \.\./outside\.txt does not belong there"),
        ({"generator.keras": b"no network"}, "generator.keras"),
    ],
)
def test_what_is_no_such_file_is_refused(
    members: dict[str, bytes] | None, problem: str, tmp_path: Path
) -> None:
    packed = io.BytesIO()
    if members is not None:
        with zipfile.ZipFile(packed, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(PocketganError, match=problem):
        unpack(packed.getvalue(), folder)
    assert [*tmp_path.iterdir()] == [folder]
