import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from deploy.errors import PocketganError
from deploy.targets.local import TfliteRuntime
from pipeline.tflite import count
from pipeline.tflite.model import Tensor
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import prefixes, read_metadata, without_ballast, write_metadata
from pipeline.tflite.runtime import draw

Variant = Callable[[str], bytes]
KINDS = ["float32", "float16", "dynamic-range", "int8", "int16x8", "sparse"]
LATENTS = np.random.default_rng(3).normal(size=[16, 16]).astype(np.float32)


def output(content: bytes) -> np.ndarray:
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]
    values = np.random.default_rng(3).normal(size=source["shape"]) * (
        source["quantization"][0] or 1
    )
    if source["dtype"] != np.float32:
        values = np.rint(values / source["quantization"][0])
    interpreter.set_tensor(source["index"], values.astype(source["dtype"]))
    interpreter.invoke()
    pictures: np.ndarray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return pictures


def buffer_starts(content: bytes) -> list[int]:
    model = schema.Model.GetRootAs(content, 0)
    tables = [model.Buffers(i)._tab for i in range(model.BuffersLength())]
    return [table.Vector(table.Offset(4)) for table in tables if table.Offset(4)]


def facts(tensor: Tensor) -> tuple[Any, ...]:
    return (
        tensor.name,
        tensor.shape,
        tensor.dtype,
        tensor.scales,
        tensor.zero_points,
        tensor.quantized_dimension,
        tensor.buffer,
        tensor.stored_bytes,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_written_metadata_is_read_back_and_the_network_draws_the_same(
    kind: str, variant: Variant
) -> None:
    written = write_metadata(variant(kind), "pocketgan", b'{"recipe": "digits"}')
    assert read_metadata(written, "pocketgan") == b'{"recipe": "digits"}'
    assert np.array_equal(output(written), output(variant(kind)))


@pytest.mark.parametrize("kind", KINDS)
def test_every_tensor_and_operation_survives(kind: str, variant: Variant) -> None:
    before = read_model(variant(kind))
    after = read_model(write_metadata(variant(kind), "pocketgan", b"x"))
    assert list(map(facts, after.tensors)) == list(map(facts, before.tensors))
    assert [(op.name, op.version, op.fused_activation) for op in after.ops] == [
        (op.name, op.version, op.fused_activation) for op in before.ops
    ]
    assert after.signatures[0].key == before.signatures[0].key
    assert [*after.metadata] == [*before.metadata, "pocketgan"]
    assert all(after.metadata[name] == before.metadata[name] for name in before.metadata)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [1, 2, 7, 16, 1001])
def test_every_buffer_starts_at_a_multiple_of_sixteen_bytes(
    kind: str, length: int, variant: Variant
) -> None:
    starts = buffer_starts(write_metadata(variant(kind), "pocketgan", b"x" * length))
    assert len(starts) > 10
    assert all(start % 16 == 0 for start in starts)


def test_writing_twice_gives_the_bytes_of_writing_once(variant: Variant) -> None:
    once = write_metadata(variant("int8"), "pocketgan", b"payload")
    assert write_metadata(variant("int8"), "pocketgan", b"payload") == once
    assert write_metadata(once, "pocketgan", b"payload") == once


def test_a_second_payload_replaces_the_first(variant: Variant) -> None:
    first = write_metadata(variant("int8"), "pocketgan", b"a much longer first payload" * 20)
    second = write_metadata(first, "pocketgan", b"short")
    assert read_metadata(second, "pocketgan") == b"short"
    assert second == write_metadata(variant("int8"), "pocketgan", b"short")


def test_replacing_an_entry_leaves_a_buffer_that_a_tensor_shares(
    pack: Callable[..., bytes], tensor: Callable[..., Any]
) -> None:
    content = pack(
        [tensor((2,)), tensor((2,), buffer=1), tensor((2,))],
        [np.array([3, 4], np.int8)],
        [("ADD", (0, 1), (2,))],
    )
    model = schema.ModelT.InitFromPackedBuf(content)
    model.metadata = [schema.MetadataT(b"shared", 1)]
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    written = write_metadata(bytes(builder.Output()), "shared", b"new")
    assert read_metadata(written, "shared") == b"new"
    assert read_model(written).tensors[1].data().tolist() == [3, 4]


def test_reading_a_name_that_is_not_there_gives_none(variant: Variant) -> None:
    assert read_metadata(variant("int8"), "pocketgan") is None


def test_an_empty_payload_is_not_a_missing_one(variant: Variant) -> None:
    assert read_metadata(write_metadata(variant("int8"), "empty", b""), "empty") == b""


@pytest.mark.parametrize("content", [b"", b"\0\0\0\0TFL3", b"not a model at all"])
def test_writing_into_something_else_is_an_error(content: bytes) -> None:
    with pytest.raises(PocketganError):
        write_metadata(content, "pocketgan", b"x")


@pytest.mark.parametrize("kind", KINDS)
def test_slim_file_draws_the_very_same(kind: str, variant: Variant) -> None:
    whole, slim = variant(kind), without_ballast(variant(kind))
    assert draw(whole, LATENTS).std() > 0
    np.testing.assert_array_equal(draw(slim, LATENTS), draw(whole, LATENTS))


@pytest.mark.parametrize("kind", KINDS)
def test_slim_file_has_the_same_layers_kernels_and_operations(kind: str, variant: Variant) -> None:
    whole, slim = read_model(variant(kind)), read_model(without_ballast(variant(kind)))
    assert [op.layer for op in slim.ops] == [op.layer for op in whole.ops]
    assert count.kernels(slim) == count.kernels(whole)
    assert count.op_counts(slim) == count.op_counts(whole)
    for ours, theirs in zip(slim.tensors, whole.tensors, strict=True):
        assert (ours.shape, ours.scales, ours.buffer) == (
            theirs.shape,
            theirs.scales,
            theirs.buffer,
        )


@pytest.mark.parametrize("kind", KINDS)
def test_slim_file_is_smaller_raw_and_compressed(kind: str, variant: Variant) -> None:
    whole, slim = read_model(variant(kind)), read_model(without_ballast(variant(kind)))
    assert slim.size < whole.size - 1000
    assert slim.size_gzip < whole.size_gzip - 200


def test_slim_file_is_found_by_the_names_of_its_signature(variant: Variant) -> None:
    interpreter = Interpreter(model_content=without_ballast(variant("int8")))
    ((key, ports),) = interpreter.get_signature_list().items()
    ((_, ports_before),) = Interpreter(model_content=variant("int8")).get_signature_list().items()
    assert ports == ports_before
    (name,) = ports["inputs"]
    latent = np.full(interpreter.get_input_details()[0]["shape"], 5, np.int8)
    pictures = interpreter.get_signature_runner(key)(**{name: latent})
    assert list(pictures) == ports["outputs"]
    assert interpreter.get_input_details()[0]["name"] == name


def test_other_metadata_stay_and_can_be_written_afterwards(variant: Variant) -> None:
    slim = without_ballast(write_metadata(variant("int8"), "origin", b"here"))
    assert read_model(slim).metadata == {"origin": b"here"}
    written = write_metadata(without_ballast(variant("int8")), "origin", b"here")
    assert read_metadata(written, "origin") == b"here"
    np.testing.assert_array_equal(draw(written, LATENTS), draw(slim, LATENTS))


def test_what_is_slim_already_stays_as_it_is(variant: Variant) -> None:
    once = without_ballast(variant("int8"))
    assert without_ballast(once) == once


def test_what_is_no_file_is_refused() -> None:
    with pytest.raises(PocketganError):
        without_ballast(b"\x00\x00\x00\x00TFL3 and nothing else")


def test_tflite_runtime_draws_from_the_slim_file_what_it_draws_from_the_whole(
    variant: Variant, tmp_path: Path
) -> None:
    if not TfliteRuntime.environment.ready:
        pytest.skip(TfliteRuntime().availability().remedy)
    whole, slim = tmp_path / "whole.tflite", tmp_path / "slim.tflite"
    whole.write_bytes(variant("int8"))
    slim.write_bytes(without_ballast(variant("int8")))
    code = """if True:
        import json, sys
        import numpy as np
        from tflite_runtime.interpreter import Interpreter
        pictures = []
        for path in sys.argv[1:]:
            interpreter = Interpreter(path)
            interpreter.allocate_tensors()
            source = interpreter.get_input_details()[0]
            interpreter.set_tensor(source["index"], np.full(source["shape"], 5, np.int8))
            interpreter.invoke()
            pictures.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
        print(json.dumps([picture.tolist() for picture in pictures]))
    """
    command = [str(TfliteRuntime.environment.python), "-c", code, str(whole), str(slim)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    ours, theirs = json.loads(answer.stdout)
    assert ours == theirs
    assert np.std(ours) > 0


def run(content: bytes, **options: Any) -> Interpreter:
    interpreter = Interpreter(model_content=content, **options)
    interpreter.allocate_tensors()
    detail = interpreter.get_input_details()[0]
    generator = np.random.default_rng(1)
    values = generator.integers(-100, 100, size=detail["shape"]).astype(detail["dtype"])
    interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    return interpreter


@pytest.mark.parametrize("kind", ["float32", "float16", "dynamic-range", "int8", "sparse"])
def test_prefixes_end_with_each_operation_that_computes(kind: str, variant: Variant) -> None:
    content = variant(kind)
    graph = read_model(content).subgraphs[0]
    parts = prefixes(content)
    assert [(p.operation, p.layer) for p in parts] == [
        (op.label, op.layer) for op in graph.ops if not graph.unpacks_constant(op)
    ]
    for place, prefix in enumerate(parts):
        cut = read_model(prefix.content).subgraphs[0]
        computing = [op for op in cut.ops if not cut.unpacks_constant(op)]
        assert [op.label for op in computing] == [p.operation for p in parts[: place + 1]]
        assert cut.inputs[0].name == graph.inputs[0].name


@pytest.mark.parametrize("kind", ["float32", "float16", "dynamic-range", "int8"])
def test_prefix_computes_what_the_whole_file_computes_up_to_there(
    kind: str, variant: Variant
) -> None:
    # Plain kernels: only then does the interpreter keep what lies between the operations.
    plain = {
        "experimental_op_resolver_type": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        "experimental_preserve_all_tensors": True,
    }
    content = variant(kind)
    whole = run(content, **plain)
    for prefix in prefixes(content):
        cut = run(prefix.content, **plain)
        for detail in cut.get_output_details():
            expected = whole.get_tensor(detail["index"])
            np.testing.assert_array_equal(cut.get_tensor(detail["index"]), expected)


@pytest.mark.parametrize("kind", ["float32", "float16", "dynamic-range", "int8"])
def test_longest_prefix_draws_what_the_file_draws(kind: str, variant: Variant) -> None:
    content = variant(kind)
    whole, longest = (
        interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        for interpreter in (run(content), run(prefixes(content)[-1].content))
    )
    np.testing.assert_array_equal(whole, longest)


def test_prefix_of_float16_unpacks_no_weights_of_later_layers(variant: Variant) -> None:
    content = variant("float16")
    assert len(read_model(prefixes(content)[0].content).ops) < len(read_model(content).ops) / 2


def test_all_that_later_operations_read_is_an_output(
    pack: Callable[..., bytes], tensor: Callable[..., Any]
) -> None:
    shape = (1, 4)
    content = pack(
        [tensor(shape, "FLOAT32", name=name) for name in "iabcd"],
        [],
        [("RELU", [0], [1]), ("TANH", [1], [2]), ("NEG", [1], [3]), ("ADD", [2, 3], [4])],
        outputs=[4],
    )
    outputs = [[t.name for t in read_model(prefix.content).outputs] for prefix in prefixes(content)]
    assert outputs == [["a"], ["a", "b"], ["b", "c"], ["d"]]


def test_output_between_the_operations_stays_an_output(
    pack: Callable[..., bytes], tensor: Callable[..., Any]
) -> None:
    content = pack(
        [tensor((1, 4), "FLOAT32", name=name) for name in "iab"],
        [],
        [("RELU", [0], [1]), ("TANH", [1], [2])],
        outputs=[1, 2],
    )
    assert [t.name for t in read_model(prefixes(content)[-1].content).outputs] == ["a", "b"]


def test_damaged_file_has_no_prefixes(variant: Variant) -> None:
    content = variant("int8")
    with pytest.raises(PocketganError, match="damaged"):
        prefixes(content[: len(content) // 2])
