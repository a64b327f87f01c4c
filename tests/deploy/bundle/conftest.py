"""Small real generators as .tflite, what a bundle asks to know of them, and bundles of them."""

import shutil
import subprocess
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from deploy.bundle import schema
from deploy.bundle.make import BundleContents, make
from deploy.bundle.texts import CardFacts
from pipeline.pictures_read import picture_read
from tests.deploy.bundle.picture_kinds import PICTURES, examples, translator
from tools.tflite_c import library

LENGTH, SIDE = 8, 6
SHA = "5" * 64

HEADERS = Path(__file__).parent  # its folder tensorflow/lite/c

Orders = Callable[..., BundleContents]


@cache
def _generator(dtype: str, classes: int, channels: int, batch: int) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own
        import tf_keras

        from pipeline.tflite import convert

        tf_keras.utils.set_random_seed(3)
        # Named, so that files that other tests convert later are called as if these were not there.
        layers = tf_keras.layers
        network = tf_keras.Sequential(
            [
                layers.Input((LENGTH + classes,), name="latent"),
                layers.Dense(SIDE * SIDE * channels, name="project"),
                layers.Reshape((SIDE, SIDE, channels), name="picture"),
                layers.Activation("tanh", name="image"),
            ],
            name="generator",
        )
        rows = np.random.default_rng(1).standard_normal((64, LENGTH + classes)).astype(np.float32)
        if dtype == "int8":
            return convert.to_int8_post_training(network, rows, batch)
        if dtype == "int16":
            return convert.to_int16x8(network, rows, batch)
        return convert.to_float32(network, batch)


@pytest.fixture(scope="session", params=PICTURES)
def picture_kind(request: pytest.FixtureRequest) -> str:
    """Each key of PICTURES in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def picture_order_of(order_of: Orders) -> Callable[[str], BundleContents]:
    """A function that gives an order for a generator that reads pictures, a key of PICTURES."""

    def give(name: str) -> BundleContents:
        kind = PICTURES[name]
        content = translator(kind)
        return replace(
            order_of(),
            content=content,
            variant=kind.dtype,
            reads=picture_read(content, (-1.0, 1.0)),
            examples=examples(kind),
        )

    return give


@pytest.fixture(scope="session")
def picture_bundle_of(
    picture_order_of: Callable[[str], BundleContents],
) -> Callable[[str], dict[str, bytes]]:
    """A function that gives the files of such a bundle, made once. For looking at only."""
    return cache(lambda name: make(picture_order_of(name)))


@pytest.fixture(scope="session")
def order_of() -> Orders:
    """A function that gives an order for a generator of that kind; the rest is made up."""

    def give(
        dtype: str = "int8",
        classes: int = 3,
        channels: int = 1,
        batch: int = 1,
        class_names: tuple[str, ...] | None = None,
        gates_failed: tuple[str, ...] = (),
        unfinished: tuple[str, ...] = (),
        name: str = "small",
    ) -> BundleContents:
        names = tuple(f"kind {n}" for n in range(classes)) if class_names is None else class_names
        return BundleContents(
            content=_generator(dtype, classes, channels, batch),
            name=name,
            variant=dtype,
            reads=schema.Latent(length=LENGTH, classes=classes, class_names=names),
            pixels=(-1.0, 1.0),
            quality=schema.BundleQuality(frechet=1.5, frechet_floor=0.25, samples=64),
            measurements=(),
            origin=schema.Origin(
                pocketgan="0",
                versions={"tensorflow": "2"},
                recipe=name,
                seed=1,
                recipe_sha256=SHA,
                teacher_sha256=SHA,
                gates_failed=gates_failed,
                unfinished=unfinished,
            ),
            data=schema.Data(name="dots", sha256=SHA, licence="yours."),
            card=CardFacts(steps=("It was drawn up.",)),
        )

    return give


@pytest.fixture(scope="session")
def bundle_of(order_of: Orders) -> Callable[[str, int, int], dict[str, bytes]]:
    """A function that gives the files of a bundle of that kind, made once. For looking at only."""

    @cache
    def give(dtype: str, classes: int, channels: int) -> dict[str, bytes]:
        return make(order_of(dtype, classes, channels))

    return give


@pytest.fixture(scope="session")
def parts(bundle_of: Callable[[str, int, int], dict[str, bytes]]) -> dict[str, bytes]:
    """The files of a bundle: int8, three classes, grey. For looking at only."""
    return bundle_of("int8", 3, 1)


@pytest.fixture
def model(parts: dict[str, bytes]) -> schema.Model:
    return schema.loads(parts["model.json"])


@pytest.fixture(scope="session")
def put() -> Callable[[dict[str, bytes], Path], Path]:
    """A function that writes a bundle's files as they are, sound or not."""

    def write(contents: dict[str, bytes], folder: Path) -> Path:
        for name, content in contents.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder

    return write


@pytest.fixture
def unpacked(
    parts: dict[str, bytes], put: Callable[[dict[str, bytes], Path], Path], tmp_path: Path
) -> Path:
    """The same as a folder of one's own."""
    return put(parts, tmp_path / "small")


@cache
def _missing() -> str:
    """Why C++ cannot be run here; empty if it can."""
    if shutil.which("g++") is None:
        return "there is no g++"
    if not library().is_file():
        return "there is no TensorFlow Lite C library: `python -m tools.tflite_c` fetches it"
    return ""


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """A function that compiles a bundle's C++, with every warning an error."""

    @cache
    def build_source(source: str) -> Path:
        program = tmp_path_factory.mktemp("program") / "generator"
        program.with_suffix(".cc").write_text(source)
        command = ["g++", "-O1", "-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{HEADERS}"]
        command += [f"{program}.cc", str(library()), "-o", str(program)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return program

    def build(folder: Path) -> Path:
        if _missing():
            pytest.skip(_missing())
        return build_source((folder / "code/generator.cc").read_text())

    return build
