"""What TensorFlow is to find in the environment when it loads."""

import gc
import os
import sys
from importlib import import_module

from deploy.errors import PocketganError
from deploy.machine import graphics_cards

THREADS = 2
"""Of TensorFlow, unless a recipe says otherwise."""


def thread_settings(count: int) -> dict[str, str]:
    """What limits TensorFlow to so many threads, read at its first operation."""
    return {"TF_NUM_INTRAOP_THREADS": f"{count}", "TF_NUM_INTEROP_THREADS": f"{count}"}


SETTINGS = {"TF_USE_LEGACY_KERAS": "1", **thread_settings(THREADS)}


def configure_tensorflow() -> None:
    """Choose the legacy Keras and two threads; call it before anything imports TensorFlow.

    TF-MOT works on Keras 2 only. A sum is cut into a piece a thread, so that their number is part
    of every result and must not be the machine's. The command line calls this itself; in a
    notebook it belongs into the first cell::

        from pipeline.tensorflow_setup import configure_tensorflow
        configure_tensorflow()

    Changes ``os.environ``, which processes started later inherit. TensorFlow's log is reduced to
    errors unless TF_CPP_MIN_LOG_LEVEL is set, and of a GPU's memory no more than is needed is
    taken. Raises PocketganError if TensorFlow was imported before with other settings.
    """
    differing = {name: value for name, value in SETTINGS.items() if os.environ.get(name) != value}
    if differing and "tensorflow" in sys.modules:
        settings = " ".join(f"{name}={value}" for name, value in differing.items())
        raise PocketganError(
            f"TensorFlow was imported before it was set up: {settings} came too late.",
            "Start Python again and call configure_tensorflow() before TensorFlow is imported.",
        )
    os.environ.update(differing)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # workers share the card


def use_threads(count: int) -> None:
    """Let TensorFlow compute on so many threads in this process.

    Raises PocketganError where it has computed on another number already.
    """
    settings = thread_settings(count)
    if settings.items() <= os.environ.items():
        return
    if "tensorflow" in sys.modules:
        threading = import_module("tensorflow").config.threading
        try:
            threading.set_intra_op_parallelism_threads(count)
            threading.set_inter_op_parallelism_threads(count)
        except RuntimeError as error:
            raise PocketganError(
                f"TensorFlow has computed in this process on another number of threads than "
                f"{count}.",
                "Start Python again: one process has one number of threads.",
            ) from error
    os.environ.update(settings)


def processor() -> str:
    """In a line: what networks are trained on, and why a card that is there is not used."""
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return f"on the GPU ({', '.join(graphics_cards()) or 'of unknown make'})"
    count = int(os.environ.get("TF_NUM_INTRAOP_THREADS", THREADS))
    threads = f"on {count} thread{'s' * (count > 1)} of the CPU"
    cards = graphics_cards()
    if not cards:
        return f"{threads}; there is no GPU that TensorFlow could use"
    return (
        f"{threads}: TensorFlow cannot use the GPU ({', '.join(cards)}); with CUDA's libraries it "
        f"can: pip install 'tensorflow[and-cuda]=={tf.__version__}'"
    )


def load_tensorflow() -> None:
    """Import TensorFlow and both Keras, without what they import only because it is installed.

    Keras 3 brings scikit-learn, all of SciPy's statistics, and Matplotlib along, for wrappers and
    plots that nothing here uses: a second of every command. What was imported stays, so garbage is
    looked for neither meanwhile nor among it: another second. Nothing happens the next time: what
    was frozen is never freed.
    """
    wanted = ("tensorflow", "tf_keras", "keras")
    if all(name in sys.modules for name in wanted):
        return
    left_out = [name for name in ("sklearn", "matplotlib") if name not in sys.modules]
    for name in left_out:
        sys.modules[name] = None  # type: ignore[assignment]  # as if it were not installed
    gc.disable()
    try:
        for name in wanted:
            import_module(name)
    finally:
        for name in left_out:
            del sys.modules[name]
        gc.freeze()
        gc.enable()
