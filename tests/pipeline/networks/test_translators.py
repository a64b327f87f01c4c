import numpy as np
import pytest
import tf_keras

from deploy.errors import PocketganError
from pipeline.compression.fake_quantization import quantization_aware, round_biases
from pipeline.compression.fold import fold_batch_norm
from pipeline.networks.layers import PixelScale
from pipeline.networks.pixels import PixelRange
from pipeline.networks.settings import StudentSettings
from pipeline.networks.translators import FAMILIES, TranslatorShape, build_translator_student
from pipeline.search.cost import predict_cost
from pipeline.tflite.convert import to_int8_trained
from pipeline.tflite.count import float_ops
from pipeline.tflite.read import read_model
from pipeline.tflite.runtime import draw
from tests.grids import pairs

SHAPES = {
    "doubled, 0..255": TranslatorShape(
        source=(8, 16, 3), image=(16, 32, 3), source_pixels=(0.0, 255.0), pixels=(0.0, 255.0)
    ),
    "kept, -1..1": TranslatorShape(
        source=(8, 16, 3), image=(8, 16, 3), source_pixels=(-1.0, 1.0), pixels=(-1.0, 1.0)
    ),
    "grey to colour": TranslatorShape(
        source=(8, 8, 1), image=(8, 8, 3), source_pixels=(-1.0, 1.0), pixels=(0.0, 1.0)
    ),
    "masked": TranslatorShape(
        source=(8, 8, 4), image=(8, 8, 3), source_pixels=(0.0, 1.0), pixels=(-1.0, 1.0)
    ),
}
UNETS = ("unet", "unet_separable")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same weights whatever test ran before."""
    tf_keras.utils.set_random_seed(1)


def noise(shape: TranslatorShape, count: int = 4) -> np.ndarray:
    low, high = shape.source_pixels
    size = (count, *shape.source)
    return np.random.default_rng(1).uniform(low, high, size).astype(np.float32)


def in_unit(pictures: np.ndarray, pixels: PixelRange) -> np.ndarray:
    return (pictures - pixels[0]) / (pixels[1] - pixels[0])


@pytest.mark.parametrize(("block", "name"), pairs(FAMILIES, SHAPES))
def test_untrained_student_repeats_its_input_in_the_range_of_its_teacher(
    block: str, name: str
) -> None:
    shape = SHAPES[name]
    model = build_translator_student(StudentSettings(block, 0, (4, 4, 4), 0), shape)
    inputs = noise(shape)
    unit = (
        in_unit(inputs, shape.source_pixels)[..., :3].repeat(shape.scale, 1).repeat(shape.scale, 2)
    )
    drawn = in_unit(model(inputs).numpy(), shape.pixels)
    np.testing.assert_allclose(drawn, np.broadcast_to(unit, drawn.shape), atol=1e-5)


def test_separable_unet_is_so_at_its_largest_maps_only_and_works_less() -> None:
    shape, channels = SHAPES["kept, -1..1"], (8, 8, 8, 8)
    plain, separable = (FAMILIES[name].build(shape, channels) for name in UNETS)
    deep = {layer.name for layer in separable.layers if "Depthwise" in type(layer).__name__}
    at_the_largest = {"down_1", "down_2", "joined_1", "joined_0", "pixels"}
    assert deep == {f"{name}_depthwise" for name in at_the_largest}
    assert predict_cost(separable).macs < predict_cost(plain).macs / 2


def test_colour_becomes_grey_by_its_luma() -> None:
    shape = TranslatorShape(
        source=(8, 8, 3), image=(8, 8, 1), source_pixels=(0.0, 1.0), pixels=(0.0, 1.0)
    )
    model = build_translator_student(StudentSettings("residual", 0, (4,), 0), shape)
    inputs = noise(shape)
    np.testing.assert_allclose(
        model(inputs).numpy()[..., 0], inputs @ [0.299, 0.587, 0.114], atol=1e-5
    )


def shaken(model: tf_keras.Model) -> tf_keras.Model:
    """Other weights than those of the start, as training leaves them."""
    random = np.random.default_rng(2)
    for weight in model.weights:
        if "moving_variance" in weight.name or "gamma" in weight.name:
            weight.assign(random.uniform(0.5, 2, weight.shape))
        else:
            weight.assign_add(random.normal(size=weight.shape) * 0.05)
    return model


@pytest.mark.parametrize(
    ("block", "name"), pairs(FAMILIES, ["doubled, 0..255", "kept, -1..1", "masked"])
)
def test_int8_file_has_the_steps_of_8_bit_pictures_and_no_float(block: str, name: str) -> None:
    shape = SHAPES[name]
    model = shaken(build_translator_student(StudentSettings(block, 0, (4, 4, 4), 0), shape))
    inputs = noise(shape, 8)
    folded = fold_batch_norm(model)
    np.testing.assert_allclose(folded(inputs), model(inputs), atol=1e-5 * max(shape.pixels))
    assert not any(isinstance(layer, PixelScale) for layer in folded.layers)
    aware = quantization_aware(folded, inputs)
    round_biases(aware)
    content = to_int8_trained(aware)
    (output,) = read_model(content).outputs
    assert output.scales[0] == pytest.approx((shape.pixels[1] - shape.pixels[0]) / 255)
    assert not float_ops(read_model(content))
    apart = np.abs(draw(content, inputs) - aware(inputs).numpy()) / output.scales[0]
    assert np.mean(apart < 1.5) >= 0.999


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (StudentSettings("sub_pixel", 0, (4, 4), 0), "block 'sub_pixel'.* cannot read"),
        (StudentSettings("residual", 0, (), 0), "channels .* cannot read"),
        (StudentSettings("unet", 0, (4,) * 5, 0), "sides that 16 divides, and pictures have 16×8"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: StudentSettings, message: str) -> None:
    with pytest.raises(PocketganError, match=message):
        build_translator_student(settings, SHAPES["doubled, 0..255"])


def test_scale_that_is_no_whole_number_is_refused() -> None:
    shape = TranslatorShape(
        source=(8, 8, 3), image=(12, 12, 3), source_pixels=(0.0, 1.0), pixels=(0.0, 1.0)
    )
    with pytest.raises(PocketganError, match="8×8 become pictures of 12×12: that is no whole"):
        build_translator_student(StudentSettings("residual", 0, (4,), 0), shape)
