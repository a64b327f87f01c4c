import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from deploy.errors import PocketganError
from deploy.targets.local import TfliteRuntime
from pipeline.tflite import count
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import read_metadata, without_ballast, write_metadata
from pipeline.tflite.runtime import draw

Variant = Callable[[str], bytes]
KINDS = ["float32", "float16", "dynamic-range", "int8", "int16x8", "sparse"]
SEEN = np.random.default_rng(3).normal(size=[16, 16]).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_slim_file_draws_the_very_same(kind: str, variant: Variant) -> None:
    whole, slim = variant(kind), without_ballast(variant(kind))
    assert draw(whole, SEEN).std() > 0
    np.testing.assert_array_equal(draw(slim, SEEN), draw(whole, SEEN))


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
    given = np.full(interpreter.get_input_details()[0]["shape"], 5, np.int8)
    drawn = interpreter.get_signature_runner(key)(**{name: given})
    assert list(drawn) == ports["outputs"]
    assert interpreter.get_input_details()[0]["name"] == name


def test_other_metadata_stay_and_can_be_written_afterwards(variant: Variant) -> None:
    kept = without_ballast(write_metadata(variant("int8"), "origin", b"here"))
    assert read_model(kept).metadata == {"origin": b"here"}
    written = write_metadata(without_ballast(variant("int8")), "origin", b"here")
    assert read_metadata(written, "origin") == b"here"
    np.testing.assert_array_equal(draw(written, SEEN), draw(kept, SEEN))


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
        drawn = []
        for path in sys.argv[1:]:
            interpreter = Interpreter(path)
            interpreter.allocate_tensors()
            source = interpreter.get_input_details()[0]
            interpreter.set_tensor(source["index"], np.full(source["shape"], 5, np.int8))
            interpreter.invoke()
            drawn.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
        print(json.dumps([picture.tolist() for picture in drawn]))
    """
    command = [str(TfliteRuntime.environment.python), "-c", code, str(whole), str(slim)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    ours, theirs = json.loads(answer.stdout)
    assert ours == theirs
    assert np.std(ours) > 0
