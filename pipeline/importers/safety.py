"""What a model file would run, or which files it would touch, found before it is loaded.

Keras refuses Lambda layers in .keras files only, and by the layers that it knows of: its HDF5
readers run them whatever ``safe_mode`` says (CVE-2025-9905), and names of any importable function
could stand for a layer (CVE-2025-1550). So the stored configuration is read here, as JSON, first.
"""

import builtins
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

_RUNS_CODE = {
    "Lambda": "Python code",
    "__lambda__": "Python code",
    "TorchModuleWrapper": "a pickle",
    "JaxLayer": "a function of another library",
    "FlaxLayer": "a function of another library",
    "TFSMLayer": "another model, loaded from a path",
    "StringLookup": "a vocabulary that may be loaded from a path",
    "IntegerLookup": "a vocabulary that may be loaded from a path",
    "TextVectorization": "a vocabulary that may be loaded from a path",
}
# Modules of Keras in which there are only parts of models, and no helpers such as get_file.
_MODELING = re.compile(
    r"(tf_)?keras(\.src)?(\.(layers|models|engine|ops|activations|initializers|regularizers"
    r"|constraints|dtype_policies|mixed_precision|quantizers|random|losses|metrics|optimizers)"
    r"(\.\w+)*)?"
)
_CLASSES_OF_NUMPY = re.compile(r"(numpy|builtins|tensorflow)(\.\w+)*")
# What a TFOpLambda layer of Keras 2 may compute, as names in TensorFlow's own interface: what takes
# tensors and gives tensors, reads and writes no files, and calls no function that it is given.
_HARMLESS_MODULES = "math|nn|linalg|image|signal|random|bitwise|quantization|sparse|__operators__"
_HARMLESS_FUNCTIONS = re.compile(
    rf"(compat\.v1\.)?((({_HARMLESS_MODULES})\.\w+)|identity|identity_n|stop_gradient|ensure_shape"
    r"|cast|saturate_cast|bitcast|complex|convert_to_tensor|reshape|transpose|concat|stack"
    r"|parallel_stack|unstack|split|tile|pad|roll|expand_dims|squeeze|shape|shape_n|size|rank"
    r"|zeros|ones|zeros_like|ones_like|fill|eye|range|linspace|meshgrid|one_hot|clip_by_\w+"
    r"|repeat|reverse|reverse_sequence|gather|gather_nd|boolean_mask|sequence_mask|where|slice"
    r"|strided_slice|scatter_nd|tensor_scatter_nd_\w+|broadcast_to|dynamic_(partition|stitch)"
    r"|space_to_batch(_nd)?|batch_to_space(_nd)?|space_to_depth|depth_to_space|norm|einsum"
    r"|tensordot|matmul|sort|argsort|searchsorted|unique|histogram_fixed_width|truncatediv"
    r"|truncatemod|realdiv|debugging\.(assert_\w+|check_numerics))"
)
# Saving and restoring are part of every SavedModel.
_OF_EVERY_SAVED_MODEL = re.compile(r"(Save|Restore)V2|MergeV2Checkpoints|ShardedFilename")
_TOUCHES = re.compile(
    r"PyFunc|File|Reader|Dataset|Print|Debug|Summary|Save|Restore|Checkpoint|ImmutableConst"
    r"|Library|RemoteFused|Rpc|Socket"
)


_GRAPH = {"layers", "input_layers", "output_layers"}
"""What the configuration of a functional model holds."""


def parts(config: Any) -> Iterator[dict[str, Any]]:
    """Every object that a stored configuration describes, nested ones too."""
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            yield config
        for key, value in config.items():
            if key != "compile_config":  # optimizers and losses are not loaded
                yield from parts(value)
    elif isinstance(config, list):
        for value in config:
            yield from parts(value)


def unsafe_parts(config: Any) -> list[str]:
    """What in a stored configuration would run code or read other files, in words."""
    dangers = ((part, _danger(part)) for part in parts(config))
    return list(dict.fromkeys(f"{_title(part)}: {danger}" for part, danger in dangers if danger))


def unknown_parts(config: Any, is_known: Callable[[str], bool]) -> list[str]:
    """Names of classes and functions that neither Keras nor ``is_known`` has."""
    foreign = filter(_is_foreign, parts(config))
    names = dict.fromkeys(part.get("registered_name") or _name(part) for part in foreign)
    return [name for name in names if not is_known(name)]


def bare_layers(config: Any) -> list[str]:
    """Classes of a model and of its layers for which an old configuration names no module."""
    layers = [config] if isinstance(config, dict) and "class_name" in config else []
    layers += [
        layer
        for part in parts(config)
        for layer in _listed(part.get("config"))
        if isinstance(layer, dict) and isinstance(layer.get("class_name"), str)
    ]
    return list(dict.fromkeys(layer["class_name"] for layer in layers if not _module(layer)))


def graphs(config: Any) -> list[str]:
    """Names of a person's own classes of models whose graph of layers is in the configuration."""
    own = (part for part in parts(config) if _is_foreign(part) or not _module(part))
    named = (
        str(part.get("registered_name") or part["class_name"])
        for part in own
        if isinstance(part.get("config"), dict) and part["config"].keys() >= _GRAPH
    )
    return list(dict.fromkeys(named))


def functions(config: Any) -> list[str]:
    """Names of the functions, such as activations, for which a configuration names no module."""
    bare = (part for part in parts(config) if part["class_name"] == "function")
    return list(dict.fromkeys(_name(part) for part in bare if _module(part) == "builtins"))


def _listed(config: Any) -> list[Any]:
    """The layers in the configuration of a model: of Keras 1 a list, later under a name."""
    layers = config.get("layers") if isinstance(config, dict) else config
    return layers if isinstance(layers, list) else []


def unsafe_operations(operations: Iterable[str]) -> list[str]:
    """Those operations of a TensorFlow graph that run Python or touch files."""
    touching = set(filter(_TOUCHES.search, operations))
    return sorted(name for name in touching if not _OF_EVERY_SAVED_MODEL.fullmatch(name))


def _danger(part: dict[str, Any]) -> str:
    """What is dangerous about an object; empty if nothing is."""
    config = part.get("config")
    settings = config if isinstance(config, dict) else {}
    name = part["class_name"].split(">")[-1]
    if name in _RUNS_CODE:
        return _RUNS_CODE[name]
    if name in ("TFOpLambda", "ClassMethod"):
        operation = str(settings.get("function", settings.get("symbol")))
        return "" if _HARMLESS_FUNCTIONS.fullmatch(operation) else f"calls {operation}"
    if name == "TensorFlowOpLayer":
        return "an operation that is stored as a graph"
    module, function = _module(part), _name(part)
    # Keras calls its own functions builtins; Python's own have other names.
    of_models = _MODELING.fullmatch(module) or (
        module == "builtins" and not hasattr(builtins, function)
    )
    # "utils.get_file" of module "keras" leads out of the modules that hold parts of models.
    leads_out = bool(of_models) and "." in function
    if module and (leads_out or (name == "function" and not of_models)):
        return f"calls {module}.{function}"
    return ""


def _is_foreign(part: dict[str, Any]) -> bool:
    module, name = _module(part), part["class_name"]
    if name.startswith("__"):
        return False
    if module:
        return not (_MODELING.fullmatch(module) or _CLASSES_OF_NUMPY.fullmatch(module))
    return ">" in name or bool(part.get("registered_name"))


def _module(part: dict[str, Any]) -> str:
    return str(part.get("module") or "")


def _name(part: dict[str, Any]) -> str:
    """The name of a function, or that of a class."""
    config, name = part.get("config"), part["class_name"]
    return str(config if name == "function" and isinstance(config, str) else name)


def _title(part: dict[str, Any]) -> str:
    config = part.get("config")
    name = config.get("name") if isinstance(config, dict) else None
    return f"layer '{name}' ({part['class_name']})" if name else part["class_name"]
