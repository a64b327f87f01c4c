from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from deploy.errors import PocketganError
from pipeline.tflite.model import Tensor
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import read_metadata, write_metadata

Variant = Callable[[str], bytes]
KINDS = ["float32", "float16", "dynamic-range", "int8", "int16x8", "sparse"]


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
    drawn: np.ndarray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return drawn


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
