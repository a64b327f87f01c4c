"""The Python of a board: whether it can measure, and a runtime for it where it cannot yet."""

import json
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from deploy import agent, energy
from deploy.errors import PocketganError
from deploy.targets.board import OPENING_LIMIT, Board, copy
from deploy.targets.installing import (
    INSTALL_SECONDS,
    LITERT,
    TFLITE_RUNTIME,
    fetch_wheels,
    wheel_options,
)
from deploy.targets.target import Diagnosis, last_line

# Runs in the folder, beside agent.py.
LOAD_RUNTIME = """
import agent, json, os, sys
agent.load_runtime()
print(json.dumps([sys.executable, hasattr(os, "sched_setaffinity")]))
"""
FIND_PYTHON = f"""
for python in python3 "$HOME/.cache/pocketgan/venv/bin/python"; do
  "$python" -c {shlex.quote(LOAD_RUNTIME)} && exit
done
exit 1
"""
# Of the Python there: its version, and the kind of wheels that it takes.
DESCRIBE = """
import json, platform, sys
version = "%d.%d" % sys.version_info[:2]
print(json.dumps([version, platform.machine(), platform.libc_ver()[1]]))
"""
# What a board lacks is looked for with whatever Python it has.
DIAGNOSE = """
import agent, energy, importlib.util, json, pathlib
about = {"device": agent.device_name(), "cpu": agent.cpu_name(), **agent.conditions()}
about["venv"] = importlib.util.find_spec("ensurepip") is not None
try:
    about["runtime"] = "%s %s" % agent.load_runtime()[:2]
except agent.AgentError as error:
    about["no_runtime"] = str(error)
try:
    about["meter"] = energy.find_meter(pathlib.Path("/")).source
except energy.NoMeterError as error:
    about["no_meter"] = str(error)
print(json.dumps(about))
"""
# Made aside and renamed: it is there whole or not at all. What was copied into the folder's wheels/
# goes before the board's own way to a package index, which many boards do not have.
INSTALL_RUNTIME = """
mkdir -p "$HOME/.cache/pocketgan" || exit 1
new=$(mktemp -d "$HOME/.cache/pocketgan/new.XXXXXX") || exit 1
trap 'rm -rf "$new"' EXIT
pip="$new/bin/python -m pip install --quiet --only-binary=:all:"
python3 -m venv "$new" &&
{ $pip --no-index --no-deps wheels/*.whl ||
  $pip numpy LITERT || $pip numpy ai-edge-litert ||
  $pip 'numpy<2' tflite-runtime; } &&
rm -rf "$HOME/.cache/pocketgan/venv" && mv "$new" "$HOME/.cache/pocketgan/venv"
"""
INSTALL_PYTHON = "sudo apt-get install python3 python3-venv"
# What is fetched for a board; the first that has wheels for it.
WHEELS = ((LITERT, "numpy"), (TFLITE_RUNTIME, "numpy<2"))


def copy_agent(board: Board) -> None:
    """Put the agent, and what it needs beside it, into the board's folder."""
    for file in (Path(agent.__file__), Path(energy.__file__)):
        copy(board, file.read_bytes(), file.name)


def diagnose(board: Board) -> Diagnosis:
    """What a board that answers is, and what it lacks; the agent is there. Installs nothing."""
    search = board.run(FIND_PYTHON, time_limit=OPENING_LIMIT)
    python = json.loads(last_line(search.stdout))[0] if search.returncode == 0 else "python3"
    script = f"{shlex.quote(python)} -c {shlex.quote(DIAGNOSE)}"
    process = board.run(script, time_limit=OPENING_LIMIT)
    if process.returncode != 0:
        missing = f"Python 3.9 or newer ({last_line(process.stderr)}): {INSTALL_PYTHON}"
        return Diagnosis(answers=True, detail="it answers", missing=(missing,))
    about = json.loads(last_line(process.stdout))
    parts = (about["device"], about["cpu"], about.get("runtime"), about.get("meter"))
    return Diagnosis(
        answers=True, detail=", ".join(filter(None, parts)), missing=tuple(_lacks(about))
    )


def _lacks(about: dict[str, Any]) -> Iterator[str]:
    if "no_runtime" in about and about["venv"]:
        yield "a TFLite runtime: the first measurement installs one there"
    elif "no_runtime" in about:
        yield f"a TFLite runtime, and the module venv to install one with: {INSTALL_PYTHON}"
    if about["governor"] not in (None, "performance"):
        yield (
            f"a steady clock (the governor is {about['governor']}): "
            "sudo cpupower frequency-set -g performance"
        )
    if "no_meter" in about:
        yield f"a meter of energy: {about['no_meter']}"


def prepare_python(board: Board) -> tuple[str, bool]:
    """A Python there that has numpy and a runtime, installed if need be; whether it can pin.

    Raises:
        PocketganError: there is none, and none could be installed.
    """
    search = board.run(FIND_PYTHON, time_limit=OPENING_LIMIT)
    if search.returncode != 0:
        copy_wheels(board)
        install = INSTALL_RUNTIME.replace("LITERT", LITERT)
        installed = board.run(install, time_limit=INSTALL_SECONDS)
        search = board.run(FIND_PYTHON, time_limit=OPENING_LIMIT)
    if search.returncode != 0:
        reason = last_line(installed.stderr if installed.returncode else search.stderr)
        raise PocketganError(
            f"{board.address} has no Python with a TFLite runtime, and installing failed: {reason}",
            "Run on the board: python3 -m venv ~/.cache/pocketgan/venv && "
            "~/.cache/pocketgan/venv/bin/pip install ai-edge-litert (Debian needs the package "
            "python3-venv).",
        )
    executable, pins = json.loads(last_line(search.stdout))
    return str(executable), bool(pins)


def copy_wheels(board: Board) -> None:
    """Fetch the wheels of a runtime for the board's Python here, and copy them there.

    Nothing is lost where that fails: the board may still reach a package index itself.
    """
    described = board.run(f"python3 -c {shlex.quote(DESCRIBE)}", time_limit=OPENING_LIMIT)
    if described.returncode != 0:
        return
    version, machine, glibc = json.loads(last_line(described.stdout))
    if not glibc.startswith("2."):  # another C library has wheels of another kind
        return
    selected = wheel_options(version, machine, int(glibc.split(".")[1]))
    for requirements in WHEELS:
        with tempfile.TemporaryDirectory() as here, suppress(PocketganError):
            for wheel in fetch_wheels(requirements, selected, Path(here)):
                copy(board, wheel.read_bytes(), f"wheels/{wheel.name}")
            return
