"""The page of a benchmark is for one browser, and its answer counts once."""

import base64
import http.client
import json
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

import numpy as np
import pytest

from deploy.web import bench
from deploy.web.bench import (
    LOOPBACK,
    Bench,
    BenchAnswer,
    BenchJob,
    BenchProblem,
    read_answer,
    serve,
)
from deploy.web.certificate import Certificate
from deploy.web.page import BUILT

JSON = {"Content-Type": "application/json"}
SOUND: dict[str, Any] = {
    "init_ms": 2.0,
    "first_ms": 1.0,
    "samples_ns": [5, 6],
    "overhead_ns": 1,
    "outputs": "AAEC",
    "browser": "Mozilla/5.0 Chrome/147.0",
    "isolated": True,
}


@pytest.fixture
def served() -> Iterator[Bench]:
    job = BenchJob(warmup=1, runs=2, inputs=1, budget=100)
    with serve() as it:
        it.assign(job, {"file": b"a model", "inputs": b"</script>"})
        yield it


def _answer_to(served: Bench) -> str:
    """The address that takes the answer: it stands in the page."""
    page = _ask(served.url).body  # type: ignore[attr-defined]
    match = re.search(rb'"answer_to":"([^"]+)"', page)
    assert match is not None
    return urljoin(served.url, match[1].decode())


def _ask(
    url: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
) -> http.client.HTTPResponse:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.netloc, timeout=10)
    connection.request(method, place.path, body, headers or {})
    answer = connection.getresponse()
    answer.body = answer.read()  # type: ignore[attr-defined]
    connection.close()
    return answer


def _post(url: str, answer: object) -> int:
    return _ask(url, "POST", json.dumps(answer).encode(), JSON).status


def test_page_is_served_isolated_on_the_loopback_address_only(served: Bench) -> None:
    assert urlsplit(served.url).hostname == "127.0.0.1"
    answer = _ask(served.url)
    assert answer.status == 200
    assert answer.getheader("Cross-Origin-Opener-Policy") == "same-origin"
    assert answer.getheader("Cross-Origin-Embedder-Policy") == "require-corp"
    assert b'"runs":2' in answer.body  # type: ignore[attr-defined]


def test_a_measurement_is_taken_once(served: Bench) -> None:
    address = _answer_to(served)
    assert _post(address, SOUND) == 204
    assert _post(address, SOUND) == 410
    answer = served.wait(5)
    assert isinstance(answer, BenchAnswer)
    assert (answer.samples_ns, answer.outputs_bytes) == ((5, 6), b"\0\1\2")
    assert _post(address, SOUND) == 410
    assert served.wait(0.01) is None


def test_each_job_has_a_token_of_its_own_and_the_page_waits_in_between(served: Bench) -> None:
    address = _answer_to(served)
    assert _ask(f"{served.url}/next").status == 200
    assert _post(address, SOUND) == 204
    assert _ask(f"{served.url}/next").status == 204
    assert b'"job":null' in _ask(served.url).body  # type: ignore[attr-defined]
    served.assign(BenchJob(warmup=0, runs=7, inputs=1, budget=1), {})
    assert not served.was_opened
    assert _post(address, SOUND) == 404
    assert b'"runs":7' in _ask(served.url).body  # type: ignore[attr-defined]
    assert served.was_opened
    assert _post(_answer_to(served), {"error": "no"}) == 204
    assert served.wait(5) == BenchProblem(error="no")


def test_a_job_gets_the_runtime_that_it_needs(served: Bench) -> None:
    one = _ask(served.url).body  # type: ignore[attr-defined]
    served.assign(BenchJob(warmup=1, runs=2, inputs=1, budget=100, threads=2), {})
    several = _ask(served.url).body  # type: ignore[attr-defined]
    served.assign(BenchJob(warmup=1, runs=2, inputs=1, budget=100, accelerator="webgpu"), {})
    gpu = _ask(served.url).body  # type: ignore[attr-defined]
    assert _blob(one, "litert.wasm") == _stored("litert.wasm")
    assert _blob(several, "litert.wasm") == _stored("litert-threads.wasm")
    assert _blob(gpu, "litert.wasm") == _stored("litert-gpu.wasm")


def _blob(page: bytes, name: str) -> bytes:
    match = re.search(rb'id="%b">([^<]*)</script>' % name.encode(), page)
    assert match is not None
    return base64.b64decode(match[1])


def _stored(name: str) -> bytes:
    return (BUILT / f"{name}.gz").read_bytes()


def test_page_is_served_encrypted_where_there_is_a_certificate() -> None:
    certificate = Certificate.of(LOOPBACK)
    with serve(encryption=certificate.context()) as served:
        assert served.url.startswith("https://")
        trusting = ssl.create_default_context(cadata=certificate.pem.decode())
        with urllib.request.urlopen(served.url, context=trusting, timeout=10) as answer:
            assert b'"job":null' in answer.read()
        strict = ssl.create_default_context()
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE"):
            urllib.request.urlopen(served.url, context=strict, timeout=10)


def test_a_problem_of_the_page_is_an_answer_made_safe_to_print(served: Bench) -> None:
    assert _post(_answer_to(served), {"error": "no memory\x1b[2J"}) == 204
    assert served.wait(5) == BenchProblem(error="no memory\\x1b[2J")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_does_not_know_the_token_gets_nothing(method: str, served: Bench) -> None:
    address = served.url.rpartition("/")[0]
    for path in ("/", "/favicon.ico", "/wrong-token", f"{urlsplit(served.url).path}/wrong-token"):
        answer = _ask(address + path, method, json.dumps(SOUND).encode(), JSON)
        assert (answer.status, answer.body) == (404, b"")  # type: ignore[attr-defined]
    assert served.wait(0.01) is None


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({**JSON, "Content-Length": "99999999999"}, 413),
        ({**JSON, "Content-Length": "9" * 5000}, 413),
        ({**JSON, "Content-Length": "many"}, 411),
        ({**JSON, "Content-Length": "-1"}, 411),
    ],
)
def test_what_is_no_json_of_a_fair_size_is_refused(
    headers: dict[str, str], status: int, served: Bench
) -> None:
    assert _ask(_answer_to(served), "POST", json.dumps(SOUND).encode(), headers).status == status
    assert served.wait(0.01) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"init_ms": 0},
        {"samples_ns": []},
        {"samples_ns": [0]},
        {"outputs": "no base64!"},
        {"init_ms": "2"},
        {"more": 1},
        {"browser": "a" * 501},
    ],
)
def test_an_answer_of_another_form_is_refused(changes: dict[str, object]) -> None:
    assert read_answer(json.dumps(SOUND).encode()) is not None
    assert read_answer(json.dumps({**SOUND, **changes}).encode()) is None


def test_an_answer_that_is_refused_leaves_room_for_a_sound_one(served: Bench) -> None:
    assert _ask(_answer_to(served), "POST", b"{", JSON).status == 400
    assert _post(_answer_to(served), SOUND) == 204
    assert served.wait(5) is not None


def test_who_goes_away_in_mid_answer_is_no_traceback(
    capfd: pytest.CaptureFixture[str],
) -> None:
    job = BenchJob(warmup=0, runs=1, inputs=1, budget=1)
    noise = np.random.default_rng(0).bytes(8 << 20)  # more than a socket takes at once
    with serve() as served:
        served.assign(job, {"file": noise})
        place = urlsplit(served.url)
        with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
            connection.sendall(f"GET {place.path} HTTP/1.1\r\n\r\n".encode())
            connection.recv(10)
        while any("process_request_thread" in thread.name for thread in threading.enumerate()):
            time.sleep(0.01)
        assert _post(_answer_to(served), SOUND) == 204
    assert capfd.readouterr().err == ""


def test_two_benches_have_two_tokens() -> None:
    with serve() as one, serve() as other:
        assert urlsplit(one.url).path != urlsplit(other.url).path
        assert len(urlsplit(one.url).path) > 30
    assert bench.MOST_ANSWER_BYTES < 1 << 30
