"""SavedModels as TensorFlow 1 writes them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipeline.importers.input_joining import adapt_inputs
from pipeline.importers.missing import StatedFacts
from pipeline.importers.saved_models import load_saved_model
from pipeline.importers.teacher import load_teacher

v1 = tf.compat.v1
Refused = Callable[..., str]
LATENTS = np.random.default_rng(1).normal(size=(4, 6)).astype("f")
SERVE = v1.saved_model.tag_constants.SERVING
Save = Callable[..., np.ndarray]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """A function that saves a generator of TensorFlow 1, and gives what it draws of LATENTS."""

    def write(
        shape: Sequence[int | None] | None = (None, 6),
        *,
        tags: tuple[tuple[str, ...], ...] = ((SERVE,),),
        signatures: tuple[str, ...] = ("serving_default",),
        switch: str = "",
    ) -> Any:
        with v1.Graph().as_default(), v1.Session() as session:
            v1.set_random_seed(1)
            z = v1.placeholder(tf.float32, shape, name="z")
            kernel = v1.get_variable("kernel", [6, 64])
            drawn = tf.tanh(tf.reshape(tf.matmul(tf.reshape(z, [-1, 6]), kernel), [-1, 8, 8, 1]))
            inputs = {"z": z}
            if switch:
                is_on = v1.placeholder(tf.bool, [], name=switch)
                inputs[switch], drawn = is_on, tf.where(is_on, -drawn, drawn)
            session.run(v1.global_variables_initializer())
            builder = v1.saved_model.Builder(str(tmp_path / "old"))
            signature = v1.saved_model.predict_signature_def(inputs, {"picture": drawn})
            named = dict.fromkeys(signatures, signature)
            builder.add_meta_graph_and_variables(session, tags[0], signature_def_map=named)
            for others in tags[1:]:
                builder.add_meta_graph(others, signature_def_map=named)
            builder.save()
            switches = {inputs[switch]: False} if switch else {}
            return session.run(drawn, {z: LATENTS, **switches})

    return write


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"shape": [4, 6]},
        {"signatures": ("draw",)},
        {"tags": ((),)},
        {"tags": (("train", "gpu"), (SERVE,))},
        {"tags": (("train", "gpu"), ("train",))},
        {"switch": "is_training"},
    ],
    ids=str,
)
def test_saved_model_of_tensorflow_1_draws_as_its_session(
    settings: dict[str, Any], save: Save, tmp_path: Path
) -> None:
    wanted = save(**settings)
    loaded = load_saved_model(tmp_path / "old", {}, facts=StatedFacts(), allow_unsafe=False)
    adapter = adapt_inputs(tmp_path / "old", loaded.inputs, StatedFacts())
    assert [(part.name, part.size) for part in adapter.parts] == [("z", 6)]
    (drawn,) = loaded.compute(*adapter.source_inputs(LATENTS))
    np.testing.assert_allclose(drawn, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"shape": None}, "its input 'z' has no batch"),
        ({"signatures": ()}, "has no signature"),
    ],
    ids=str,
)
def test_what_does_not_say_how_it_draws_is_one_message(
    settings: dict[str, Any], expected: str, save: Save, tmp_path: Path, refused: Refused
) -> None:
    save(**settings)
    message = refused(
        load_saved_model, tmp_path / "old", {}, facts=StatedFacts(), allow_unsafe=False
    )
    assert expected in message
    assert "TensorFlow 1" in message


@pytest.mark.parametrize("size", [8, None])
def test_maps_with_their_channels_first_are_read_and_drawn_with_them_last(
    size: int | None, tmp_path: Path
) -> None:
    module = tf.Module()
    kernel = module.kernel = tf.Variable(tf.random.stateless_normal([3, 3], [1, 2]))
    spec = tf.TensorSpec([None, 3, size, size], name="x")
    module.draw = tf.function(
        lambda x: tf.tanh(tf.einsum("nchw,cd->ndhw", x, kernel)), input_signature=[spec]
    )
    tf.saved_model.save(module, str(tmp_path / "first"), signatures=module.draw)
    facts = {"input_pixels": (-1, 1), "input_size": None if size else (8, 8)}
    teacher = load_teacher(tmp_path / "first", **facts)
    assert teacher.model.input_shape == teacher.model.output_shape == (None, 8, 8, 3)
    pictures = teacher.random_inputs(3)
    wanted = np.tanh(np.einsum("nhwc,cd->nhwd", pictures, kernel.numpy()))
    np.testing.assert_allclose(teacher.model(pictures), wanted, atol=1e-5)
