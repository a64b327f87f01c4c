"""What is said of generators that draw several things."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipeline.importers.input_joining import adapt_inputs
from pipeline.importers.loaded import LoadedGenerator
from pipeline.importers.missing import MissingFactsError, StatedFacts
from pipeline.importers.model_input import ModelInput
from pipeline.importers.trial import try_out


@pytest.mark.parametrize(
    ("outputs", "likely"),
    [
        ({"coarse": 3, "refined": 3}, "refined"),
        ({"enhanced_1": 3, "enhanced": 3, "curves": 24}, "enhanced"),
        ({"attention": 1, "drawn": 3}, "drawn"),
        ({"d0": 1, "d1": 1}, "d0"),
        ({"with_alpha": 4, "matte": 1}, "matte"),
    ],
)
def test_of_several_outputs_the_last_stage_in_colour_is_proposed(
    outputs: dict[str, int], likely: str
) -> None:
    port = ModelInput(name="x", shape=(8, 8, 3), dtype="float32")
    loaded = LoadedGenerator(
        origin="a test",
        inputs=(port,),
        compute=lambda x: [tf.repeat(x[..., :1], size, -1) for size in outputs.values()],
        weights=(("w", np.ones(1)),),
        layers=(),
        outputs=tuple(outputs),
    )
    path, facts = Path("g.onnx"), StatedFacts()
    with pytest.raises(MissingFactsError) as caught:
        try_out(path, loaded, adapt_inputs(path, [port], facts), facts)
    assert caught.value.options == f"--output {likely}"
