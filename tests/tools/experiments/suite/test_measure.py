import json
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.errors import PocketganError
from deploy.jobs import FIGURES, Measurement, Subject, failure
from deploy.targets.local import Local
from deploy.targets.target import Availability, Target
from pipeline.tflite.count import float_ops
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import PROVENANCE, read_metadata
from tools.experiments.suite import measure as suite
from tools.experiments.suite.generators import Member
from tools.experiments.suite.measure import FILE, FILES, VARIANTS, plan_for, read, run, write

SMALL = {"families": ["dense"], "pixels": [28], "widths": [16]}


class Counter(Target):
    """A stand-in for an emulated core: counts as many instructions as the file has bytes."""

    timed = compared = False

    def __init__(self, name="arm:stand-in", ready=True, spoils=()):
        self.name, self.ready, self.spoils = name, ready, spoils
        self.asked = []

    def availability(self):
        return Availability("a stand-in", "pocketgan targets install stand-in", ready=self.ready)

    @contextmanager
    def open(self):
        yield self.answer

    def answer(self, job, time_limit):
        self.asked.append(job)
        if job.variant.endswith(self.spoils):
            return failure(job, "it fell over")
        subject = job.model_dump(include=set(Subject.model_fields))
        absent = {name: "a stand-in" for name in FIGURES if name != "instructions"}
        return Measurement(**subject, instructions=job.bytes, absent=absent)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where one member has its files already."""
    folder = tmp_path_factory.mktemp("suite")
    write(Member("dense", 28, 16), folder / FILES, seed=0)
    return folder


@pytest.fixture(autouse=True)
def _afresh(folder):
    (folder / FILE).unlink(missing_ok=True)


def test_each_variant_is_written_and_int8_has_no_float(folder):
    paths = write(Member("dense", 28, 16), folder / FILES, seed=0)
    assert tuple(paths) == VARIANTS
    sizes = [path.stat().st_size for path in paths.values()]
    assert sizes[0] > sizes[1] > sizes[2]
    assert float_ops(read_model(paths["int8-ptq"])) == []
    calls = json.loads(read_metadata(paths["float16"].read_bytes(), PROVENANCE))
    assert (calls["generator"], calls["variant"], calls["seed"]) == ("dense-28-w16", "float16", 0)


def test_whole_files_are_kept_and_damaged_ones_made_again(folder):
    member = Member("dense", 28, 16)
    paths = write(member, folder / FILES, seed=0)
    before = {path: path.stat().st_mtime_ns for path in paths.values()}
    content = paths["float32"].read_bytes()
    paths["float32"].write_bytes(content[: len(content) // 2])
    write(member, folder / FILES, seed=0)
    assert paths["float32"].read_bytes() == content  # same seed, same bytes
    assert all(p.stat().st_mtime_ns == t for p, t in before.items() if p.stem != "float32")


def test_files_of_another_version_of_the_set_are_made_again(folder, monkeypatch):
    path = write(Member("dense", 28, 16), folder / FILES, seed=0)["float32"]
    monkeypatch.setattr(suite.generators, "VERSION", 2)
    write(Member("dense", 28, 16), folder / FILES, seed=0)
    assert json.loads(read_metadata(path.read_bytes(), PROVENANCE))["generators"] == 2


def test_local_times_are_measured_and_kept(folder):
    progress = []
    result_of_run = run(
        [Local()],
        folder,
        **SMALL,
        rounds=1,
        runs=8,
        on_progress=lambda name, done, total: progress.append((name, done, total)),
    )
    (result,) = result_of_run.results
    assert [m.variant for m in result.measurements] == list(VARIANTS)
    assert all(m.error is None and m.p90_ms for m in result.measurements)
    assert result.macs == 64 * 32 + 32 * 32 + 32 * 784
    assert result.bytes == {m.variant: m.bytes for m in result.measurements}
    assert progress[-1] == ("28 pixels, width 16 on local", 4, 4)
    assert read(folder) == result_of_run


def test_second_call_measures_only_what_is_new(folder):
    first, second = Counter(), Counter("arm:other")
    run([first], folder, **SMALL)
    result_of_run = run([first, second], folder, **SMALL)
    assert len(first.asked) == len(second.asked) == len(VARIANTS)
    assert result_of_run.targets == ["arm:stand-in", "arm:other"]


def test_failed_measurements_are_tried_again_and_the_others_are_not(folder):
    target = Counter(spoils=("float16",))
    (result,) = run([target], folder, **SMALL).results
    assert [m.variant for m in result.measurements if m.error] == ["float16"]
    target.spoils, target.asked = (), []
    (result,) = run([target], folder, **SMALL).results
    assert [job.variant for job in target.asked] == ["dense-28-w16/float16"]
    assert not any(m.error for m in result.measurements)


def test_interrupted_call_keeps_what_was_measured(folder):
    class Interrupted(Counter):
        def answer(self, job, time_limit):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([Counter(), Interrupted("arm:other")], folder, **SMALL)
    assert read(folder).targets == ["arm:stand-in"]


@pytest.mark.parametrize("what", ["seed", "versions", "generators"])
def test_figures_of_another_kind_are_not_mixed(folder, what):
    earlier = json.loads(run([Counter()], folder, **SMALL).model_dump_json(by_alias=True))
    earlier[what] = {"numpy": "1.0"} if what == "versions" else 99
    (folder / FILE).write_text(json.dumps(earlier))
    with pytest.raises(PocketganError, match=f"other {what}"):
        run([Counter()], folder, **SMALL)


def test_damaged_results_are_told(folder):
    (folder / FILE).write_text("{}")
    with pytest.raises(PocketganError, match="cannot be read"):
        run([Counter()], folder, **SMALL)


def test_target_that_is_not_ready_is_told_before_anything_runs(tmp_path):
    with pytest.raises(PocketganError, match="stand-in"):
        run([Counter(), Counter(ready=False)], tmp_path / "new", **SMALL)
    assert not (tmp_path / "new").exists()


def test_big_members_get_fewer_runs_and_more_patience():
    small, big = 10**4, 3 * 10**9
    assert plan_for(Local(), small).runs == suite.RUNS
    assert plan_for(Local(), big).runs == suite.ROUNDS * suite.FEWEST_RUNS
    assert plan_for(Counter(), big).time_limit > plan_for(Counter(), small).time_limit


def test_families_of_one_size_take_turns(tmp_path):
    timed = Counter("ssh:stand-in")
    timed.timed = True
    both = SMALL | {"families": ["dense", "sub_pixel"]}
    run([timed], tmp_path, **both, rounds=4, runs=4)
    order = [Path(job.path).parent.name for job in timed.asked]
    assert order != sorted(order)
    assert sorted(order) == ["dense-28-w16-seed0"] * 16 + ["sub_pixel-28-w16-seed0"] * 16
