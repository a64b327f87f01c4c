import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from deploy.errors import PocketganError
from pipeline.tflite.entry import NO_CHOICE, Entered, EntryChoice, enter
from pipeline.tflite.read import read_model
from tests.pipeline.tflite import others


def entered(content: bytes, signature: str | None = None, **sizes: tuple[int, ...]) -> Entered:
    """By the size of every input under ``size``, or by those of inputs under their names."""
    choice = EntryChoice(
        signature, {"" if name == "size" else name: s for name, s in sizes.items()}
    )
    return enter(read_model(content), choice, "theirs.tflite")


def drawn(content: bytes, values: np.ndarray, *, resized: bool) -> np.ndarray:
    interpreter = Interpreter(model_content=content)
    port = interpreter.get_input_details()[0]["index"]
    if resized:
        interpreter.resize_tensor_input(port, values.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(port, values)
    interpreter.invoke()
    picture: np.ndarray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return picture


def test_size_fills_in_every_shape_and_the_file_draws_the_same() -> None:
    content = others.enlarger()
    sized = entered(content, size=(6, 8))
    assert sized.work.total == 6 * 8 * others.FREE_MACS
    assert sized.file_shapes == ("?×?×?×3",)
    assert [tensor.shape for tensor in sized.model.outputs] == [(1, 12, 16, 3)]
    assert not any(tensor.free_axes for tensor in sized.model.tensors)
    photo = np.random.default_rng(2).normal(size=(1, 6, 8, 3)).astype("f")
    np.testing.assert_array_equal(
        drawn(sized.model.content, photo, resized=False), drawn(content, photo, resized=True)
    )


def test_size_left_free_is_named_and_nothing_is_said_of_1_by_1() -> None:
    free = enter(read_model(others.enlarger()), NO_CHOICE, "theirs.tflite")
    assert free.unsized == ("photo ?×?×?×3",)
    assert "sizes are free until --size says them: photo ?×?×?×3" in free.macs_unknown


def test_picture_of_1_by_1_is_one_of_any_size_as_old_converters_wrote_it() -> None:
    content = others.as_old_converters_wrote(others.enlarger())
    free = entered(content)
    assert free.unsized == ("photo 1×1×1×3 (as old converters write a picture of any size)",)
    assert entered(content, size=(6, 8)).work.total == 6 * 8 * others.FREE_MACS
    assert entered(content, size=(1, 1)).work.total == others.FREE_MACS


def test_free_batch_is_one_and_needs_no_size() -> None:
    one = entered(others.judge_of_any_batch())
    assert one.file_shapes == ("?×4×4×3",)
    assert [tensor.shape for tensor in one.model.inputs] == [(1, 4, 4, 3)]
    assert one.work.total == others.JUDGE_MACS


def test_picture_of_fixed_size_takes_another_one() -> None:
    resized = entered(others.with_custom_operation(1, 4, 4, 3), size=(5, 6))
    assert [tensor.shape for tensor in resized.model.inputs] == [(1, 5, 6, 3)]
    looping = entered(others.looping(), photo=(8, 6))
    assert looping.work.once == 3 * others.TURN_MACS
    assert [loop.macs for loop in looping.work.loops] == [3 * others.TURN_MACS]


def test_one_signature_of_several_is_all_that_is_counted() -> None:
    judge = entered(others.enlarger_and_judge(), "judge")
    assert judge.signature == "judge"
    assert judge.work.total == others.JUDGE_MACS
    assert len(judge.model.subgraphs) == 1
    sized = entered(others.enlarger_and_judge(), "draw", size=(6, 8))
    assert sized.work.total == 6 * 8 * others.FREE_MACS


def test_signature_behind_another_one_keeps_its_loops() -> None:
    module = others.two_signatures_with_loops()
    model = entered(module, "second").model
    assert len(model.subgraphs) == 3
    assert [op.name for op in model.subgraphs[0].ops].count("WHILE") == 1
    photo = np.full((1, 4, 4, 3), 0.5, np.float32)
    runner = Interpreter(model_content=module).get_signature_runner("second")
    np.testing.assert_array_equal(
        drawn(model.content, photo, resized=False), runner(photo=photo)["image"]
    )


def test_file_of_one_signature_and_fixed_sizes_is_left_as_it_is() -> None:
    model = read_model(others.looping())
    assert enter(model, NO_CHOICE, "theirs.tflite").model is model


def test_custom_operation_leaves_sizes_unknown_where_they_are_free() -> None:
    free = entered(others.with_custom_operation(1, None, None, 3), size=(6, 8))
    assert free.problem == free.macs_unknown == "1 custom operation: Erfinv"


def test_size_that_the_network_cannot_run_at_is_said() -> None:
    huge = entered(others.enlarger(), size=(99_999, 99_999))
    assert "does not run here at these sizes" in huge.macs_unknown


@pytest.mark.parametrize(
    ("choice", "problem", "remedy"),
    [
        (NO_CHOICE, "holds 2 signatures, each a network of its own: draw, judge", "--signature"),
        (EntryChoice("paint"), "has no signature 'paint'", "Its signatures are: draw, judge"),
        (EntryChoice("draw", {"": (6,)}), "has 2 sizes to choose", "--size photo=64x64"),
        (EntryChoice("draw", {"mask": (6, 6)}), "--size mask=6x6 fits no input", "photo ?×?×?×3"),
    ],
)
def test_choice_that_does_not_fit_is_refused(
    choice: EntryChoice, problem: str, remedy: str
) -> None:
    with pytest.raises(PocketganError) as error:
        enter(read_model(others.enlarger_and_judge()), choice, "theirs.tflite")
    assert problem in error.value.problem
    assert remedy in error.value.remedy


def test_size_of_a_latent_is_refused() -> None:
    with pytest.raises(PocketganError, match="fits no input"):
        entered(others.latent_reader(), size=(4, 4))
