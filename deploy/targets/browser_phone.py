"""The browser of a phone, or of any other device: it scans a code, and its page measures.

The page is served on the loopback address, which a phone reaches through its cable (`adb reverse`),
or on the address that the target's name holds. Browsers isolate a page, and lend it threads and a
fine clock, only where it comes from loopback or encrypted. So on other addresses it is encrypted,
with a certificate made for this one session, which the phone's browser asks about.
"""

import io
import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Self
from urllib.parse import urlsplit

import segno

from deploy.errors import PocketganError
from deploy.jobs import Job, Measurement
from deploy.targets.browser import LITERT_JS, measured_by_page
from deploy.targets.target import Availability, Diagnosis, Session, Target, TargetLostError
from deploy.web.bench import LOOPBACK, Accelerator, Answer, Bench, BenchJob, BenchProblem, serve
from deploy.web.certificate import Certificate

NAME = "phone"
_DETAIL = re.compile(
    rf"{NAME}(?P<gpu>:webgpu)?(?::(?P<address>[0-9.]+))?(?::(?P<port>\d{{1,5}}))?", re.ASCII
)
MOST_PORT = 65535
_ADDRESSES = (
    "an address that this machine has, as `hostname -I` lists them, and a free port or none"
)
_INVERTED = "\x1b[97;40m{}\x1b[0m"
"""White on black, whatever the terminal's colours: a code is read by its dark parts."""


class PhoneBrowser(Target):
    """A browser that a person lets open the benchmark page."""

    profiled = False
    machine = None  # it may be a phone that adb measures, too, or this machine itself

    def __init__(
        self, address: str = LOOPBACK, port: int = 0, accelerator: Accelerator = "wasm"
    ) -> None:
        self.address, self.port, self.accelerator = address, port, accelerator
        parts = ["browser", NAME, *[accelerator] * (accelerator != "wasm")]
        place = [address] * (address != LOOPBACK or port > 0) + [str(port)] * (port > 0)
        self.name = ":".join(parts + place)

    def threads(self, wanted: Sequence[int]) -> Sequence[int]:
        return wanted if self.accelerator == "wasm" else (1,)

    @classmethod
    def named(cls, detail: str) -> Self | None:
        """Of ``phone[:webgpu][:ADDRESS[:PORT]]``; None where it is no phone.

        Raises PocketganError for what cannot be the address of one machine.
        """
        if detail.partition(":")[0] != NAME:
            return None
        match = _DETAIL.fullmatch(detail)
        address, port = (
            (match["address"] or LOOPBACK, int(match["port"] or 0)) if match else ("", 0)
        )
        try:
            fits = not ipaddress.IPv4Address(address).is_unspecified and port <= MOST_PORT
        except ValueError:
            fits = False
        if match is None or not fits:
            raise PocketganError(
                f"browser:{detail} does not name an address of this machine",
                f"Write browser:{NAME}:ADDRESS or browser:{NAME}:ADDRESS:PORT: {_ADDRESSES}.",
            )
        return cls(address, port, "webgpu" if match["gpu"] else "wasm")

    @property
    def is_loopback(self) -> bool:
        return ipaddress.IPv4Address(self.address).is_loopback

    def availability(self) -> Availability:
        reach = ", reached through adb (:ADDRESS for a network)" if self.is_loopback else ""
        return Availability(
            f"serves a page on {self.address}{reach}, LiteRT.js {LITERT_JS}", ready=True
        )

    def diagnose(self) -> Diagnosis:
        """Whether the page can be served there; nobody is asked to open it."""
        try:
            with self._served():
                return super().diagnose()
        except PocketganError as error:
            return Diagnosis(answers=False, detail=error.problem, missing=(error.remedy,))

    @contextmanager
    def open(self) -> Iterator[Session]:
        """Serve the page and say where, until all is measured."""
        with self._served() as (bench, certificate):
            self.say(_invitation(bench.url, certificate))
            yield partial(self._measure, bench)

    @contextmanager
    def _served(self) -> Iterator[tuple[Bench, Certificate | None]]:
        certificate = None if self.is_loopback else Certificate.of(self.address)
        with ExitStack() as stack:
            try:
                encryption = certificate.context() if certificate else None
                bench = stack.enter_context(serve(self.address, self.port, encryption))
            except (OSError, OverflowError) as error:
                raise PocketganError(
                    f"target {self.name}: cannot serve on {self.address}: {error}.",
                    f"Name {_ADDRESSES}.",
                ) from error
            yield bench, certificate

    def _measure(self, bench: Bench, job: Job, time_limit: float) -> Measurement:
        return measured_by_page(job, partial(_ask, bench, time_limit), self.accelerator)


def _ask(bench: Bench, time_limit: float, order: BenchJob, blobs: Mapping[str, bytes]) -> Answer:
    bench.assign(order, blobs)
    if answer := bench.wait(time_limit):
        return answer
    if not bench.was_opened:
        raise TargetLostError(
            f"no browser asked for {bench.url} within {time_limit:g} s; --time-limit sets how long "
            "to wait"
        )
    return BenchProblem(
        error=f"a browser opened the page and gave no answer within {time_limit:g} s; --time-limit "
        "sets how long to wait"
    )


def _invitation(url: str, certificate: Certificate | None) -> str:
    """The code to scan, the address that it holds, and what to do besides."""
    blocks = io.StringIO()
    segno.make(url, error="l", micro=False).terminal(blocks, border=2, compact=True)
    code = "\n".join(_INVERTED.format(line) for line in blocks.getvalue().splitlines())
    if certificate is None:
        port = urlsplit(url).port
        more = (
            f"A phone at the cable reaches it after `adb reverse tcp:{port} tcp:{port}`; one in "
            f"the same network with --target browser:{NAME}:ADDRESS, this machine's address."
        )
    else:
        more = (
            "Its browser asks about the certificate, which was made for this run: go on if the "
            f"SHA-256 fingerprint begins with {certificate.fingerprint[:23]}."
        )
    return f"{code}\nOpen this page on the phone, and keep it in front:\n{url}\n{more}"
