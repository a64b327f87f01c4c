"""The benchmark page: served to one browser, which measures a file and posts the result, once.

The page stays at one address, under a secret path. What it is to measure changes: each job has a
one-time token of its own, under which its first sound answer is taken and no second one.
"""

import base64
import binascii
import hmac
import secrets
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from threading import Event, Lock, Thread
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator

from deploy.errors import printable
from deploy.jobs import Count, FrozenModel, Positive, Size
from deploy.web.page import GPU_RUNTIME, RUNTIME, THREADED_RUNTIME, render

LOOPBACK = "127.0.0.1"
MOST_ANSWER_BYTES = 64 << 20
_MOST_DIGITS = len(str(MOST_ANSWER_BYTES))
_NEXT = "/next"
ISOLATION = {
    # What a browser asks for before its clock has fine steps and it lends a page threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cache-Control": "no-store",
}


Accelerator = Literal["wasm", "webgpu"]
"""What draws: the processor, or the GPU with the processor for what it does not take."""


class BenchJob(FrozenModel):
    """What the page is to do; src/bench.ts reads it."""

    warmup: Size
    runs: Count
    inputs: Count
    budget: Positive
    """Milliseconds that the timed runs may take together."""
    threads: Count = 1
    accelerator: Accelerator = "wasm"


class BenchPage(FrozenModel):
    """The document in the page."""

    job: BenchJob | None = None
    """None while there is nothing to measure."""
    answer_to: str = ""
    """The path that takes the answer, once."""
    next: str
    """The path that tells whether there is something to measure."""


class BenchAnswer(FrozenModel):
    """What the page measured."""

    init_ms: Positive
    first_ms: Positive
    samples_ns: Annotated[tuple[Count, ...], Field(min_length=1)]
    overhead_ns: Count
    outputs: str
    """Base64 of what the file drew of all inputs, in order."""
    browser: Annotated[str, Field(max_length=500)]
    isolated: bool
    gpu: Annotated[str, Field(max_length=200)] | None = None
    """The GPU that drew, as the browser calls it."""

    @field_validator("outputs")
    @classmethod
    def _is_base64(cls, text: str) -> str:
        try:
            base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise ValueError(f"is no base64: {error}") from error
        return text

    @property
    def outputs_bytes(self) -> bytes:
        return base64.b64decode(self.outputs)


class BenchProblem(FrozenModel):
    """Why the page measured nothing, in its own words."""

    error: Annotated[str, Field(max_length=2000)]


Answer = BenchAnswer | BenchProblem


@dataclass(frozen=True, kw_only=True)
class _Task:
    """One job as the page gets it, and the room for its answer."""

    page: bytes
    path: str
    answers: "Queue[Answer]" = field(default_factory=Queue)
    taken: Lock = field(default_factory=Lock)
    """Locked from the first sound answer on."""
    fetched: Event = field(default_factory=Event)
    """Set once a browser has asked for the page."""


class Bench:
    """A page that is being served."""

    def __init__(self, url: str, server: "_BenchServer") -> None:
        self.url = url
        self._server = server

    def assign(self, job: BenchJob, blobs: Mapping[str, bytes]) -> None:
        """Let the page carry out ``job`` with ``file`` and ``inputs``; what was before is over."""
        path = f"{self._server.secret}/{secrets.token_urlsafe(24)}"
        document = BenchPage(job=job, answer_to=path, next=self._server.secret + _NEXT)
        self._server.task = _Task(page=render("bench", document, blobs, _runtime(job)), path=path)

    def wait(self, seconds: float) -> Answer | None:
        """The answer to what was assigned; None if there is none after so long."""
        task = self._server.task
        try:
            return task.answers.get(timeout=seconds) if task else None
        except Empty:
            return None

    @property
    def was_opened(self) -> bool:
        """Whether a browser has asked for what was assigned."""
        return self._server.task is not None and self._server.task.fetched.is_set()


@contextmanager
def serve(
    address: str = LOOPBACK, port: int = 0, encryption: ssl.SSLContext | None = None
) -> Iterator[Bench]:
    """Serve the page on that address of this machine and no other; port 0 is any free one.

    Raises OSError where the address is not this machine's, or the port is taken.
    """
    secret = f"/{secrets.token_urlsafe(24)}"
    with _BenchServer((address, port), secret, encryption) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        scheme = "https" if encryption else "http"
        try:
            yield Bench(f"{scheme}://{address}:{server.server_address[1]}{secret}", server)
        finally:
            server.shutdown()


class _BenchServer(ThreadingHTTPServer):
    """Serves under a ``secret`` path the page of one task after another."""

    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], secret: str, encryption: ssl.SSLContext | None
    ) -> None:
        super().__init__(address, _Handler)
        self.secret = secret
        self.task: _Task | None = None
        self.waiting = render("bench", BenchPage(next=secret + _NEXT), {}, ())
        if encryption:
            # Hands are shaken in a request's own thread: who is slow holds up nobody.
            self.socket = encryption.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    def handle_error(self, *_: object) -> None:
        """Say nothing of a browser that went away: standard error is the person's."""

    def pending(self) -> _Task | None:
        """What has no answer yet."""
        return self.task if self.task and not self.task.taken.locked() else None


class _Handler(BaseHTTPRequestHandler):
    """Answers requests to secret paths only."""

    server: _BenchServer
    timeout = 60

    def do_GET(self) -> None:
        task = self.server.pending()
        if self._is_at(self.server.secret):
            if task:
                task.fetched.set()
            self._reply(HTTPStatus.OK, task.page if task else self.server.waiting)
        elif self._is_at(self.server.secret + _NEXT):
            self._reply(HTTPStatus.OK if task else HTTPStatus.NO_CONTENT)
        else:
            self._reply(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        task = self.server.task
        length = self.headers.get("Content-Length", "")
        if task is None or not self._is_at(task.path):
            self._reply(HTTPStatus.NOT_FOUND)
        elif not length.isascii() or not length.isdigit():
            self._reply(HTTPStatus.LENGTH_REQUIRED)
        elif len(length) > _MOST_DIGITS or int(length) > MOST_ANSWER_BYTES:
            self._reply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif self.headers.get_content_type() != "application/json":
            self._reply(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        else:
            self._take(self.rfile.read(int(length)), task)

    def _take(self, body: bytes, task: _Task) -> None:
        answer = read_answer(body)
        if answer is None:
            self._reply(HTTPStatus.BAD_REQUEST)
        elif task.taken.acquire(blocking=False):  # first, so that no other comes in between
            task.answers.put(answer)
            self._reply(HTTPStatus.NO_CONTENT)
        else:
            self._reply(HTTPStatus.GONE)

    def _is_at(self, path: str) -> bool:
        return hmac.compare_digest(self.path.encode(), path.encode())

    def _reply(self, status: HTTPStatus, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in ISOLATION.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, format: str, *_: object) -> None:
        """Say nothing: standard error is the person's."""


def _runtime(job: BenchJob) -> tuple[str, ...]:
    if job.accelerator == "webgpu":
        return GPU_RUNTIME
    return THREADED_RUNTIME if job.threads > 1 else RUNTIME


def read_answer(body: bytes) -> Answer | None:
    """What a page posted; None where it is no answer."""
    for kind in (BenchAnswer, BenchProblem):
        try:
            answer: Answer = kind.model_validate_json(body, strict=True)
        except ValidationError:
            continue
        if isinstance(answer, BenchProblem):
            return BenchProblem(error=printable(answer.error))
        return answer
    return None
