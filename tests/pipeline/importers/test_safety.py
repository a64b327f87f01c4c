from typing import Any

import pytest

from pipeline.importers.safety import unknown_parts, unsafe_operations, unsafe_parts


def layer(kind: str, module: str | None = "keras.layers", **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "module": module, "config": {"name": "it", **config}}


HARMLESS = [
    layer("Dense", kernel_initializer=layer("GlorotUniform", "keras.initializers")),
    layer("Dense", activation={"class_name": "function", "config": "relu", "module": "builtins"}),
    layer("Conv2D", "keras.src.layers.convolutional.conv2d"),
    *(
        layer("TFOpLambda", function=function)
        for function in (
            *("math.multiply", "pad", "compat.v1.pad", "roll", "norm", "einsum", "random.normal"),
            *("image.resize", "compat.v1.image.resize", "signal.fft2d", "tensor_scatter_nd_add"),
            *(
                "nn.depth_to_space",
                "__operators__.getitem",
                "clip_by_norm",
                "debugging.assert_less",
            ),
        )
    ),
    {"class_name": "Dense", "config": {"activation": "tanh"}},
    {"compile_config": layer("Lambda")},
]
DANGEROUS = [
    layer("Lambda"),
    layer("Lambda", None),
    layer("Functional", layers=[layer("Wrapper", layer=layer("Lambda"))]),
    layer("TFSMLayer", filepath="/etc"),
    layer("TorchModuleWrapper"),
    layer("StringLookup", vocabulary="/etc/passwd"),
    layer("TFOpLambda", function="io.read_file"),
    *(
        layer("TFOpLambda", function=function)
        for function in (
            *("numpy_function", "py_function", "print", "raw_ops.ReadFile", "map_fn", "while_loop"),
            *(
                "compat.v1.read_file",
                "load_op_library",
                "saved_model.load",
                "data.Dataset.list_files",
            ),
            *(
                "io.write_file",
                "summary.text",
                "keras.utils.get_file",
                "pad.read_file",
                "debugging.x",
            ),
        )
    ),
    layer("TensorFlowOpLayer"),
    layer("Dense", activation={"class_name": "__lambda__", "config": {"value": "4w=="}}),
    layer("Dense", activation={"class_name": "function", "config": "system", "module": "os"}),
    layer(
        "x", activation={"class_name": "function", "config": "get_file", "module": "keras.utils"}
    ),
    layer("x", activation={"class_name": "function", "config": "utils.load", "module": "keras"}),
    layer("x", activation={"class_name": "function", "config": "exec", "module": "builtins"}),
    layer("utils.load", "keras"),
]


@pytest.mark.parametrize("config", HARMLESS, ids=range(len(HARMLESS)))
def test_parts_of_keras_are_safe(config: Any) -> None:
    assert unsafe_parts(config) == []


@pytest.mark.parametrize("config", DANGEROUS, ids=range(len(DANGEROUS)))
def test_what_runs_code_or_reads_files_is_found(config: Any) -> None:
    assert len(unsafe_parts([{"deep": [config]}])) == 1


@pytest.mark.parametrize("module", ["subprocess", "my_layers", "keras_evil", "keras.utils"])
def test_class_of_another_module_is_unknown(module: str) -> None:
    assert unknown_parts(layer("Thing", module), lambda _: False) == ["Thing"]
    assert unknown_parts(layer("Thing", module), lambda name: name == "Thing") == []


def test_parts_of_keras_are_known() -> None:
    assert unknown_parts(HARMLESS, lambda _: False) == []


def test_operations_that_touch_files_or_run_python_are_found() -> None:
    every = ["Conv2D", "SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename", "Tanh"]
    bad = ["EagerPyFunc", "PyFuncStateless", "ReadFile", "WriteFile", "TFRecordDatasetV2"]
    bad += ["PrintV2", "WholeFileReaderV2", "Save", "ImmutableConst", "WriteSummary"]
    assert unsafe_operations([*every, *bad]) == sorted(bad)
