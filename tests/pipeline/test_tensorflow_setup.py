import gc
import os
import subprocess
import sys

import pytest

from deploy.errors import PocketganError
from pipeline.tensorflow_setup import SETTINGS, configure_tensorflow, load_tensorflow, processor

BARE = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}


def run_python(code: str) -> "subprocess.CompletedProcess[str]":
    """Run code in a process without any of TensorFlow's variables."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=BARE, capture_output=True, text=True, check=False)


def test_importing_the_package_leaves_the_environment_alone() -> None:
    code = "import os; before = dict(os.environ); import pipeline, pipeline.cli, pipeline.run; "
    assert run_python(f"{code}assert dict(os.environ) == before").returncode == 0


def test_command_line_sets_tensorflow_up() -> None:
    code = "import os; from pipeline.cli import main; main(['targets', '--json']); "
    done = run_python(f"{code}assert {SETTINGS!r}.items() <= os.environ.items()")
    assert done.returncode == 0, done.stderr


def test_tools_set_tensorflow_up() -> None:
    code = f"import os, tools.console; assert {SETTINGS!r}.items() <= os.environ.items()"
    assert run_python(code).returncode == 0


def test_second_call_changes_nothing() -> None:
    before = dict(os.environ)
    configure_tensorflow()
    assert dict(os.environ) == before


THREADS = """
import os
from pipeline.tensorflow_setup import configure_tensorflow, use_threads
configure_tensorflow()
import tensorflow as tf
use_threads(2)
use_threads(1)
assert tf.config.threading.get_intra_op_parallelism_threads() == 1
assert tf.config.threading.get_inter_op_parallelism_threads() == 1
assert os.environ["TF_NUM_INTRAOP_THREADS"] == "1"
tf.constant(1)
use_threads(1)
try:
    use_threads(3)
except Exception as error:
    print(type(error).__name__, error)
"""


def test_loading_again_keeps_no_more_garbage_for_ever() -> None:
    load_tensorflow()
    before = gc.get_freeze_count()
    load_tensorflow()
    assert gc.get_freeze_count() == before


def test_threads_are_settled_at_the_first_operation() -> None:
    done = run_python(THREADS)
    assert done.returncode == 0, done.stderr
    assert "PocketganError TensorFlow has computed in this process on another num" in done.stdout


def test_log_level_of_the_user_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    configure_tensorflow()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"


def test_too_late_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", sys)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "8")
    with pytest.raises(PocketganError, match="TF_NUM_INTRAOP_THREADS=2 came too late") as caught:
        configure_tensorflow()
    assert "before TensorFlow is imported" in caught.value.remedy
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == "8"


@pytest.mark.parametrize(
    ("visible", "cards", "words"),
    [
        ([], [], "on 2 threads of the CPU; there is no GPU that TensorFlow could use"),
        ([], ["NVIDIA T4"], "on 2 threads of the CPU: TensorFlow cannot use the GPU (NVIDIA T4)"),
        (["GPU:0"], ["NVIDIA T4"], "on the GPU (NVIDIA T4)"),
        (["GPU:0"], [], "on the GPU (of unknown make)"),
    ],
)
def test_it_is_told_what_trains_and_why_a_card_does_not(
    visible: list[str], cards: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: visible)
    monkeypatch.setattr("pipeline.tensorflow_setup.graphics_cards", lambda: cards)
    assert processor().startswith(words)
    assert ("pip install" in processor()) == (bool(cards) and not visible)
