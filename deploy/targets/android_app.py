"""A phone's figures by the demo app's hands-free benchmark (``android_demo/README.md``).

The app is an agent as ``deploy/agent.py`` is one: a job in, a measurement out, by the same method.
Each round is a fresh process of it. Files go to and come from the app's own folder on the shared
storage, which adb's shell may write and read.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pydantic import ValidationError

from deploy.errors import PocketganError
from deploy.jobs import Job, Measurement, failure
from deploy.targets.adb import AndroidBackend, Phone
from deploy.targets.target import last_line

PACKAGE = "org.pocketgan.demo"
FILES = f"/sdcard/Android/data/{PACKAGE}/files"
JOBS, RESULTS = f"{FILES}/jobs", f"{FILES}/results"

LOOK_EVERY = 0.25  # seconds between two looks for the answer
STARTING_LIMIT = 30.0
NOT_OF_THE_APP = {"energy_s"}
"""Fields of a job that the app refuses: it reads no meter."""


def installed(phone: Phone) -> bool:
    """Whether the demo app is on the phone."""
    code, listed = phone.shell(f"pm path {PACKAGE}")
    return code == 0 and "package:" in listed


class App(AndroidBackend):
    """The demo app on ``phone``; what was sent to it is removed in the end."""

    @classmethod
    @contextmanager
    def placed(cls, phone: Phone) -> Iterator["App"]:
        app = cls(phone)
        # Started once without a job, the app makes its folders; those are its own then.
        app._start("hello", "")
        phone.shell(f"mkdir -p {JOBS} {RESULTS}")
        try:
            yield app
        finally:
            with suppress(PocketganError, TimeoutError):
                phone.shell(f"am force-stop {PACKAGE}")
                sent = " ".join(f"{JOBS}/{name}" for name in app._sent)
                phone.shell(f"rm -f {RESULTS}/hello.json {sent}")

    def _measure(self, job: Job, time_limit: float) -> Measurement:
        there = job.model_copy(
            update={
                "path": self._put(job.path, JOBS, ".tflite"),
                "latents": job.latents and self._put(job.latents, JOBS, ".npy"),
            }
        )
        before = self._conditions(job)
        answer = self._carry_out(there, time_limit)
        try:
            measurement = Measurement.model_validate_json(answer)
        except ValidationError as error:
            return failure(job, f"the app's answer is no measurement: {error.errors()[0]['msg']}")
        if (measurement.sha256, measurement.variant) != (job.sha256, job.variant):
            return failure(job, "the app answered another job")
        if measurement.error is not None:
            return measurement
        about = {
            "before": before,
            "after": self._conditions(job),
            "cpu": measurement.cpu or self._cpu,
            "device": self._device or measurement.device,
        }
        return measurement.model_copy(update=about)

    def _carry_out(self, job: Job, time_limit: float) -> bytes:
        """What the app lays down for ``job``."""
        name = f"pg-{secrets.token_hex(8)}"
        question, result = f"{JOBS}/{name}.json", f"{RESULTS}/{name}.json"
        self._phone.push(job.model_dump_json(exclude=NOT_OF_THE_APP).encode(), question)
        try:
            self._start(name, f"--es job_file {name}.json")
            self._await(result, time_limit)
            return self._phone.pull(result)
        finally:
            with suppress(TimeoutError):
                self._phone.shell(f"rm -f {question} {result}")

    def _start(self, name: str, job: str) -> None:
        """A fresh process of the app, with this job or none."""
        activity = f"-n {PACKAGE}/.JobActivity --es id {name} {job}"
        script = f"am force-stop {PACKAGE}; am start -W {activity}"
        code, said = self._phone.shell(script, STARTING_LIMIT)
        if code != 0 or "Error" in said:
            problem = f"the app cannot be started: {last_line(said)[:500]}"
            raise PocketganError(problem, "Is the phone unlocked?")

    def _await(self, result: str, time_limit: float) -> None:
        """Wait until the answer is there; it appears whole."""
        script = f"test -e {result} && echo there; pidof {PACKAGE}"
        end = time.monotonic() + time_limit
        while time.monotonic() < end:
            _, said = self._phone.shell(script)
            if "there" in said:
                return
            if not said.strip() and "there" not in self._phone.shell(script)[1]:
                raise PocketganError(
                    "the app ended without an answer: it crashed, or the system ended it",
                    "`adb logcat -d -b crash` says more.",
                )
            time.sleep(LOOK_EVERY)
        with suppress(TimeoutError):
            self._phone.shell(f"am force-stop {PACKAGE}")
        raise TimeoutError
