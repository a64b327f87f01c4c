"""One tiny run through every stage, made once for all tests; copies of it are for spoiling."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline import progress
from pipeline.cli import main
from tools import postgresql

TINY = """\
# A GAN too small to draw anything
generator: {width: 4, latent: 8}
discriminator: {width: 4}
train: {steps: 24, batch: 16, check_every: 8, checkpoint_seconds: 0, film_frames: 3}
prune: {steps: 16, every: 2}
quantize: {steps: 8, calibration: 32}
convert: {calibration: 32}
evaluate: {samples: 64, judge_steps: 20}
benchmark: {threads: [1], runs: 16, rounds: 1, warmup: 2}
"""


@pytest.fixture(autouse=True)
def _talkative() -> Iterator[None]:
    """``--quiet`` silences the process for good; the next test may want to hear something."""
    yield
    progress.console.quiet = False


MadeOnce = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def tiny_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipes") / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def tiny_runs(tiny_recipe: Path, made_once: MadeOnce) -> Path:
    """The folder of runs that holds the finished run ``tiny``. For looking at only."""

    def fill(runs: Path) -> None:
        assert main(["run", str(tiny_recipe), "--runs", str(runs), "--quiet"]) == 0
        progress.console.quiet = False

    return made_once("runs", fill)


@pytest.fixture
def tiny_copy(tiny_runs: Path, tmp_path: Path) -> Path:
    """A folder of runs with a finished run ``tiny`` of one's own."""
    return Path(shutil.copytree(tiny_runs, tmp_path / "runs"))


COMPRESS = (
    *("--max-gzip-kb", "5", "--name", "small", "--quiet", "--workers", "1"),
    *("--search.trials", "3", "--search.steps", "9", "--search.blocks", "[sub_pixel, slim]"),
    *("--student.imitate", "8", "--student.steps", "8", "--quantize.steps", "8"),
    *("--quantize.calibration", "32", "--convert.calibration", "32", "--teacher.lessons", "128"),
    *("--evaluate.samples", "64", "--evaluate.judge_steps", "20", "--benchmark.threads", "[1]"),
    *("--benchmark.runs", "8", "--benchmark.rounds", "1", "--benchmark.warmup", "0"),
)
"""A student too small to have learnt anything, of the tiny run's teacher."""

Compress = Callable[..., int]


@pytest.fixture(scope="session")
def compress_arguments(tiny_runs: Path) -> Callable[[Path], list[str]]:
    """A function: the command that compresses the tiny run into a folder of runs."""
    return lambda runs: ["compress", str(tiny_runs / "tiny"), "--runs", str(runs), *COMPRESS]


@pytest.fixture(scope="session")
def compress(compress_arguments: Callable[[Path], list[str]]) -> Compress:
    """A function that gives that command; more arguments change the recipe."""
    return lambda runs, *more: main([*compress_arguments(runs), *more])


@pytest.fixture(scope="session")
def small_runs(compress: Compress, made_once: MadeOnce) -> Path:
    """The folder of runs that holds the finished run ``small``. For looking at only."""

    def fill(runs: Path) -> None:
        assert compress(runs) == 0
        progress.console.quiet = False

    return made_once("compressed", fill)


@pytest.fixture
def small_copy(small_runs: Path, tmp_path: Path) -> Path:
    """A folder of runs with a finished run ``small`` of one's own."""
    return Path(shutil.copytree(small_runs, tmp_path / "compressed"))


Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(capfd: pytest.CaptureFixture[str]) -> Ask:
    """A function that runs a command: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, out, " ".join(err.split())

    return run


@pytest.fixture(scope="session")
def conditional_runs(tiny_recipe: Path, made_once: MadeOnce) -> Path:
    """The folder of runs that holds the finished, class-conditional run ``told``."""
    more = ["--name", "told", "--generator.conditional", "true", "--convert.int16x8", "true"]

    def fill(runs: Path) -> None:
        assert main(["run", str(tiny_recipe), "--runs", str(runs), "--quiet", *more]) == 0

    return made_once("conditional", fill)


@pytest.fixture
def failed(tiny_recipe: Path, tiny_copy: Path) -> Path:
    """A folder of runs with a run ``tiny`` whose report has a failed gate."""
    more = ["--runs", str(tiny_copy), "--report.gates", "[zeros >= 0.99]", "--quiet"]
    assert main(["report", str(tiny_recipe), *more]) == 3
    return tiny_copy


@pytest.fixture
def unfinished(tiny_copy: Path) -> Path:
    """A folder of runs with a run ``tiny`` that stopped before it was judged."""
    for stage in ("5-evaluate", "7-report"):
        shutil.rmtree(tiny_copy / "tiny" / stage)
    return tiny_copy


@pytest.fixture
def model_of() -> Callable[[Path], dict[str, object]]:
    """A function that reads a bundle's model.json."""
    return lambda folder: json.loads((folder / "model.json").read_text())  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def small_generator() -> Any:
    """Latents [1, 32] → images [1, 8, 8, 4], by a dense layer, a view and a convolution."""
    import tf_keras

    layers = tf_keras.layers
    return tf_keras.Sequential(
        [
            tf_keras.Input((32,), batch_size=1),
            layers.Dense(8 * 8 * 16),
            layers.Reshape((8, 8, 16)),
            layers.Conv2D(4, 5, padding="same"),
        ]
    )


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """The address of a database on a PostgreSQL server of one's own; not empty after a test."""
    if postgresql.programs() is None:
        pytest.skip(postgresql.MISSING)
    with postgresql.server() as address:
        yield address


PROXY = """
import sys
from optuna.storages import get_storage, run_grpc_proxy_server
run_grpc_proxy_server(get_storage(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]))
"""


@pytest.fixture(scope="session")
def proxy() -> Callable[[str], AbstractContextManager[str]]:
    """A function: Optuna's proxy before a database, whose address it gives."""

    @contextmanager
    def serve(database: str) -> Iterator[str]:
        port = postgresql.free_port()
        with subprocess.Popen([sys.executable, "-c", PROXY, database, str(port)]) as process:
            try:
                while not _answers(port):
                    assert process.poll() is None
                    time.sleep(0.1)
                yield f"grpc://127.0.0.1:{port}"
            finally:
                process.kill()

    return serve


def _answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
