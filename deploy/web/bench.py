"""The benchmark page: served to one browser on this machine, which posts what it measured, once."""

import base64
import binascii
import hmac
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Full, Queue
from threading import Thread
from typing import Annotated

from pydantic import Field, ValidationError, field_validator

from deploy.errors import printable
from deploy.jobs import Count, FrozenModel, Positive, Size
from deploy.web.page import render

MOST_ANSWER_BYTES = 64 << 20
_MOST_DIGITS = len(str(MOST_ANSWER_BYTES))
ISOLATION = {
    # What a browser asks for before its clock has fine steps.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cache-Control": "no-store",
}


class BenchJob(FrozenModel):
    """What the page is to do; src/bench.ts reads it."""

    warmup: Size
    runs: Count
    inputs: Count
    budget: Positive
    """Milliseconds that the timed runs may take together."""


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


class Bench:
    """A page that is being served, until its answer is there."""

    def __init__(self, url: str, answers: "Queue[Answer]") -> None:
        self.url = url
        self._answers = answers

    def wait(self, seconds: float) -> Answer | None:
        """The answer; None if there is none after so long."""
        try:
            return self._answers.get(timeout=seconds)
        except Empty:
            return None


@contextmanager
def serve(job: BenchJob, blobs: Mapping[str, bytes]) -> Iterator[Bench]:
    """Serve the page with ``file`` and ``inputs`` on this machine's loopback address only."""
    path = f"/{secrets.token_urlsafe(24)}"
    with _BenchServer(path, render("bench", job, blobs)) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield Bench(f"http://127.0.0.1:{server.server_address[1]}{path}", server.answers)
        finally:
            server.shutdown()


class _BenchServer(ThreadingHTTPServer):
    """Serves one ``page`` under a secret ``path``, and keeps the first sound answer to it."""

    daemon_threads = True

    def __init__(self, path: str, page: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.path, self.page = path, page
        self.answers: Queue[Answer] = Queue(maxsize=1)

    def handle_error(self, *_: object) -> None:
        """Say nothing of a browser that went away: standard error is the person's."""


class _Handler(BaseHTTPRequestHandler):
    """Answers requests to the secret path only; the first sound measurement is the only one."""

    server: _BenchServer
    timeout = 60

    def do_GET(self) -> None:
        if self._is_secret():
            self._reply(HTTPStatus.OK, self.server.page)

    def do_POST(self) -> None:
        if not self._is_secret():
            return
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            self._reply(HTTPStatus.LENGTH_REQUIRED)
        elif len(length) > _MOST_DIGITS or int(length) > MOST_ANSWER_BYTES:
            self._reply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif self.headers.get_content_type() != "application/json":
            self._reply(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        else:
            self._take(self.rfile.read(int(length)))

    def _take(self, body: bytes) -> None:
        answer = read_answer(body)
        if answer is None:
            self._reply(HTTPStatus.BAD_REQUEST)
            return
        try:
            self.server.answers.put_nowait(answer)  # first, so that no other comes in between
        except Full:
            self._reply(HTTPStatus.GONE)
        else:
            self._reply(HTTPStatus.NO_CONTENT)

    def _is_secret(self) -> bool:
        if hmac.compare_digest(self.path.encode(), self.server.path.encode()):
            return True
        self._reply(HTTPStatus.NOT_FOUND)
        return False

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
