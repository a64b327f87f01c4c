"""The demo app's hands-free benchmark, against the stand-in for an adb server of conftest.py.

Where the phone's ``am`` would start the app, a script gives the job to ``deploy/agent.py``, which
speaks the same schema, or lays down an answer that the app's own code wrote.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy import agent
from deploy.harness import NO_METER_READ, MeasuringPlan, measure
from deploy.jobs import Job
from deploy.targets.android import Android, phones
from deploy.targets.target import TargetLostError

SERIAL = "R58N12ABCDE"
GENERATOR = Path(__file__).parents[3] / "android_demo/app/src/test/bundles/int8/generator.tflite"
FILES = "sdcard/Android/data/org.pocketgan.demo/files"

# The app takes a file by its plain name in its folder of jobs, and renames its answer into place.
# It knows nothing of energy, and refuses what it does not know.
RUN_AGENT = f"""
cd {{files}}/jobs || exit 1
if grep -q energy_s "$job"; then exit 1; fi
sed "s#^{{{{#&\\"energy_s\\":null,#; s#\\"path\\":\\"#&$PWD/#; s#\\"latents\\":\\"#&$PWD/#" "$job" |
  {sys.executable} -I {agent.__file__} > ../results/.partial 2>> {{root}}/said
mv ../results/.partial "../results/$id.json"
"""
AM = """#!/bin/sh
echo "$@" >> {root}/am
[ "$1" = force-stop ] && exit 0
id= job=
while [ $# -gt 0 ]; do
  [ "$1" = --es ] && [ "$2" = id ] && id=$3
  [ "$1" = --es ] && [ "$2" = job_file ] && job=$3
  shift
done
echo "Starting: Intent {{ cmp=org.pocketgan.demo/.JobActivity }}"
if [ -z "$job" ]; then
  mkdir -p {files}/jobs {files}/results
  echo '{{"error": "no job was given"}}' > "{files}/results/$id.json"
  exit 0
fi
{does}
"""


@pytest.fixture
def app(adb):
    """Install the app on the stand-in's phone; called with what starting it does."""

    def install(does: str = RUN_AGENT, alive: str = "echo 4711") -> None:
        places = {"root": adb.root, "files": adb.root / FILES}
        adb.place("bin/am", AM.format(does=does.format(**places), **places))
        adb.place("bin/pidof", f"#!/bin/sh\n{alive}\n")
        adb.place("bin/pm", '#!/bin/sh\n[ "$2" = org.pocketgan.demo ] && echo package:/base.apk\n')

    return install


def left(adb) -> list[str]:
    return sorted(path.name for path in (adb.root / FILES).rglob("*") if path.is_file())


def test_app_measures_and_its_outputs_are_compared_with_the_desktop(
    adb, app, float_file: Path, int8_file: Path
) -> None:
    app()
    files = {"float32": float_file, "int8": int8_file}
    plan = MeasuringPlan(rounds=2, runs=64, energy_s=1)
    float32, int8 = measure(files, phones(), plan=plan)
    assert float32.error is int8.error is None
    assert float32.absent["energy_mj"] == int8.absent["energy_mj"] == NO_METER_READ
    assert int8.agreement is not None
    assert int8.agreement.equal
    assert int8.p90_ms is not None
    assert (int8.runs, int8.rounds) == (64, 2)
    assert int8.device == "Google Pixel 7, Android 14, Tensor GS201"
    assert int8.before is not None
    assert int8.before.mhz == 2802
    assert left(adb) == []


def test_latents_are_given_to_the_app_too(adb, app, int8_file: Path, latents_file: Path) -> None:
    app()
    plan = MeasuringPlan(rounds=1, runs=8, latents=latents_file)
    (measurement,) = measure({"int8": int8_file}, phones(), plan=plan)
    assert measurement.error is None
    assert measurement.agreement is not None
    assert measurement.agreement.equal


def test_each_round_is_a_fresh_process_of_the_app(adb, app, int8_file: Path) -> None:
    app()
    measure({"int8": int8_file}, phones(), plan=MeasuringPlan(rounds=3, runs=12))
    verbs = [line.split()[0] for line in (adb.root / "am").read_text().splitlines()]
    assert verbs == ["force-stop", "start"] * (1 + 3) + ["force-stop"]


def test_users_own_tool_goes_before_the_app(
    adb, app, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    app()
    (target,) = phones()
    assert "demo app" in target.availability().detail
    tool = tmp_path / "benchmark_model"
    tool.touch()
    monkeypatch.setenv("POCKETGAN_BENCHMARK_MODEL", str(tool))
    assert str(tool) in target.availability().detail


@pytest.mark.parametrize(
    ("does", "alive", "said"),
    [
        ("echo 'Error: Activity class does not exist.'", "echo 1", "cannot be started"),
        ("exit 1", "echo 1", "cannot be started"),
        ("true", "true", "ended without an answer"),
        ("true", "echo 1", "no answer within 1 s"),
        ("echo '{{' > {files}/results/$id.json", "echo 1", "no measurement"),
    ],
)
def test_failing_app_is_an_error_measurement(
    adb, app, int8_file: Path, does: str, alive: str, said: str
) -> None:
    app(does, alive)
    plan = MeasuringPlan(rounds=2, runs=8, time_limit=1)
    (measurement,) = measure({"int8": int8_file}, phones(), plan=plan)
    assert said in str(measurement.error)
    assert left(adb) == []


def test_answer_that_the_app_itself_gave_is_understood_and_compared(adb, app) -> None:
    """What the app's own tests left for this file; they draw without XNNPACK."""
    answer = json.loads((Path(__file__).parent / "outputs" / "app_answer.json").read_text())
    subject = {"target": f"android:{SERIAL}"}
    (adb.root / "answer").write_text(json.dumps(answer | subject))
    app("cp {root}/answer {files}/results/$id.json")
    plan = MeasuringPlan(rounds=1, runs=answer["runs"], seed=7)  # as they asked the app
    (measurement,) = measure({"int8": GENERATOR}, phones(), plan=plan)
    assert measurement.error is None
    assert measurement.runtime == "tensorflow-lite"
    assert measurement.p90_ms == answer["p90_ms"]
    assert measurement.agreement is not None
    assert measurement.agreement.equal or (
        measurement.plain_agreement is not None and measurement.plain_agreement.equal
    )


def test_answer_to_another_job_is_refused(adb, app, int8_file: Path) -> None:
    app(f"cp {Path(__file__).parent}/outputs/app_answer.json {{files}}/results/$id.json")
    (measurement,) = measure({"int8": int8_file}, phones(), plan=MeasuringPlan(rounds=1, runs=8))
    assert measurement.error == "the app answered another job"


def test_phone_lost_while_the_app_works_is_lost(
    adb, app, int8_file: Path, job_for: Callable[..., Job]
) -> None:
    app("true", "echo 1")
    adb.before_command = lambda command: adb.unplug() if "pidof" in command else None
    with pytest.raises(TargetLostError, match=SERIAL), Android(SERIAL).open() as session:
        session(job_for(int8_file), 60)
