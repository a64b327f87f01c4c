import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.compression.fake_quantization import quantization_aware, round_biases
from pipeline.compression.fold import fold_batch_norm
from pipeline.networks import pix2pix
from pipeline.networks.settings import DiscriminatorSettings, GeneratorSettings
from pipeline.networks.translators import TranslatorShape
from pipeline.tflite.convert import to_int8_trained
from pipeline.tflite.count import float_ops
from pipeline.tflite.read import read_model


def shape(source: int, image: int, channels: int = 3) -> TranslatorShape:
    return TranslatorShape(
        source=(source, source, channels),
        image=(image, image, 3),
        source_pixels=(-1.0, 1.0),
        pixels=(-1.0, 1.0),
    )


def test_unet_of_64_filters_has_the_weights_of_the_paper() -> None:
    model = pix2pix.generator(GeneratorSettings(width=64), shape(64, 64))
    assert model.output_shape == (None, 64, 64, 3)
    assert 16e6 < model.count_params() < 17e6


@pytest.mark.parametrize(("source", "image", "channels"), [(16, 16, 4), (16, 32, 3), (16, 64, 1)])
def test_pictures_become_pictures_of_the_size_asked_for(
    source: int, image: int, channels: int
) -> None:
    model = pix2pix.generator(GeneratorSettings(width=2), shape(source, image, channels))
    pictures = model(np.zeros((2, source, source, channels), np.float32)).numpy()
    assert pictures.shape == (2, image, image, 3)
    assert np.abs(pictures).max() <= 1


def test_discriminator_gives_a_logit_a_patch() -> None:
    model = pix2pix.discriminator(DiscriminatorSettings(width=2, spectral_norm=True), shape(32, 32))
    assert model(np.zeros((2, 32, 32, 6), np.float32)).shape == (2, 4, 4, 1)


def test_size_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(PocketganError, match="sides that 16 divides, and pictures have 36×36"):
        pix2pix.generator(GeneratorSettings(width=2), shape(36, 36))


def test_what_a_concatenation_joins_has_its_range_in_model_and_file() -> None:
    model = pix2pix.generator(GeneratorSettings(width=4), shape(16, 16))
    inputs = np.random.default_rng(1).uniform(-1, 1, (16, 16, 16, 3)).astype(np.float32)
    for _ in range(8):
        model(inputs, training=True)
    aware = quantization_aware(fold_batch_norm(model), inputs)
    round_biases(aware)
    graph = read_model(to_int8_trained(aware)).subgraphs[0]
    assert not float_ops(read_model(to_int8_trained(aware)))
    joins = [op for op in graph.ops if op.name == "CONCATENATION"]
    assert len(joins) == 2
    for number, join in enumerate(joins):
        (scale,) = {tensor.scales[0] for tensor in (*join.inputs, *join.outputs) if tensor}
        ranges = aware.get_layer(f"quant_up_{1 - number}_skip")._output_quantizer_vars
        step = float(ranges["max_var"] - ranges["min_var"]) / 255
        assert scale == pytest.approx(step, rel=1e-3)
        before = aware.get_layer(f"quant_down_{1 - number}_act")
        assert before._output_quantizer_vars is ranges
