"""A headless Chromium plays the phone: it opens the page that a person would scan."""

import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan, measure
from deploy.jobs import Job, Measurement
from deploy.targets import find_target
from deploy.targets.target import Target, TargetLostError
from deploy.web.browsers import VARIABLE, find_browser, headless_command, is_firefox

PLAN = MeasuringPlan(rounds=2, runs=16, warmup=2, threads=(1, 2))

Scanning = Callable[[str], Target]


@pytest.fixture
def scanning(tmp_path: Path) -> Iterator[Scanning]:
    """A function that gives a target by its name, whose page a Chromium opens when it is told."""
    program = find_browser()
    if program is None or is_firefox(program):
        pytest.skip(f"no Chromium on this machine: name one in {VARIABLE}")
    with ExitStack() as stack:

        def scan(text: str) -> None:
            url = next(line for line in text.splitlines() if line.startswith("http"))
            command = headless_command(program, str(tmp_path), url)
            phone = subprocess.Popen(
                [*command, "--ignore-certificate-errors"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(phone.wait)
            stack.callback(phone.kill)

        yield lambda name: find_target(name, scan)


def _own_address() -> str:
    """An address of this machine in some network; skips where it is in none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))  # sends nothing; the address is for documentation
        except OSError:
            pytest.skip("this machine is in no network")
        return str(asking.getsockname()[0])


def _assert_sound(measurements: list[Measurement]) -> None:
    assert [(m.threads, m.error, m.rounds) for m in measurements] == [(1, None, 2), (2, None, 2)]
    for measurement in measurements:
        assert measurement.agreement is not None
        assert measurement.agreement.equal
        assert not any("coarse steps" in warning for warning in measurement.warnings)
        assert "Chrome" in str(measurement.runtime)


def test_a_phone_that_scans_once_measures_all_rounds(scanning: Scanning, int8_file: Path) -> None:
    _assert_sound(measure({"int8": int8_file}, [scanning("browser:phone")], plan=PLAN))


def test_a_page_on_a_chosen_address_is_encrypted_and_so_isolated(
    scanning: Scanning, int8_file: Path
) -> None:
    target = scanning(f"browser:phone:{_own_address()}")
    _assert_sound(measure({"int8": int8_file}, [target], plan=PLAN))


def test_invitation_holds_a_code_the_address_and_the_way_there() -> None:
    texts: list[str] = []
    with find_target("browser:phone", texts.append).open():
        pass
    match = re.search(r"^http://127\.0\.0\.1:(\d+)/[\w-]{32}$", texts[0], re.MULTILINE)
    assert match is not None
    assert f"adb reverse tcp:{match[1]} tcp:{match[1]}" in texts[0]
    code = [line for line in texts[0].splitlines() if "█" in line]
    assert 12 < len(code) < 24  # a terminal's height


def test_a_phone_that_never_comes_is_lost_and_its_address_is_told(
    float_file: Path, job_for: Callable[..., Job]
) -> None:
    job = job_for(float_file, target="browser:phone")
    problem = r"no browser asked for http://127.*--time-limit"
    with pytest.raises(TargetLostError, match=problem), find_target(job.target).open() as session:
        session(job, 0.1)


@pytest.mark.parametrize(
    "detail",
    ["phone:", "phone:0.0.0.0", "phone:1.2.3", "phone:127.0.0.1:99999", "phone:a.b"],
)
def test_what_is_no_address_of_one_machine_is_no_target(detail: str) -> None:
    problem = rf"browser:{detail} does not name an address of this machine\n  .*hostname -I"
    with pytest.raises(PocketganError, match=problem):
        find_target(f"browser:{detail}")
    with pytest.raises(PocketganError, match="no target is called"):
        find_target("browser:phon")


def test_a_target_bears_the_name_that_it_was_found_by() -> None:
    for phone in ("browser:phone", "browser:phone:webgpu"):
        for name in (phone, f"{phone}:192.0.2.7", f"{phone}:127.0.0.1:8080"):
            assert find_target(name).name == name


def test_an_address_of_another_machine_is_refused_with_what_to_do() -> None:
    foreign = find_target("browser:phone:192.0.2.7")
    with pytest.raises(PocketganError, match=r"cannot serve on 192\.0\.2\.7") as caught:
        foreign.open().__enter__()
    assert "hostname -I" in caught.value.remedy
    diagnosis = foreign.diagnose()
    assert (diagnosis.answers, diagnosis.missing) == (False, (caught.value.remedy,))
    assert "cannot serve on 192.0.2.7" in diagnosis.detail


def test_a_port_in_use_is_diagnosed_and_a_free_one_invites_nobody() -> None:
    texts: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        target = find_target(f"browser:phone:127.0.0.1:{taken.getsockname()[1]}", texts.append)
        assert "cannot serve on 127.0.0.1" in target.diagnose().detail
    assert target.diagnose().answers
    assert not texts
