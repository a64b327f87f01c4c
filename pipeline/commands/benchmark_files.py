"""Which files a person means, what each is called, and what can be read off it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from deploy.agent import AgentError, load_latents
from deploy.errors import PocketganError
from deploy.jobs import describe_file
from pipeline.report.benchmark.schema import MeasuredFile
from pipeline.tflite import count
from pipeline.tflite.model import LiteModel
from pipeline.tflite.read import IDENTIFIER, read_model
from pipeline.variants import VARIANTS

SUFFIX = ".tflite"


def find(given: Sequence[str]) -> dict[str, Path]:
    """Name → file, for files and folders of files, variants of a run in their usual order.

    A file is called by its stem; where two stems are equal, by as much of the path as tells them
    apart.

    Raises:
        PocketganError: there is no such file or folder, or a folder holds no .tflite.
    """
    paths: dict[Path, None] = {}
    for text in given:
        paths |= dict.fromkeys(_expand(Path(text)))
    return {name: path for path, name in zip(paths, _names(list(paths)), strict=True)}


def is_model(path: Path) -> bool:
    """Whether this is a file that begins as a .tflite does, whatever it is called."""
    try:
        with path.open("rb") as file:
            return file.read(8)[4:] == IDENTIFIER
    except OSError:
        return False


def latents(path: Path) -> Path:
    """``path``, if it holds latents that can be fed: finite float32 [N, L].

    Raises:
        PocketganError: it does not.
    """
    try:
        load_latents(str(path))
    except AgentError as error:
        raise PocketganError(str(error), "Save them with numpy.save.") from error
    return path


def _expand(path: Path) -> list[Path]:
    if not path.is_dir():
        if not path.exists():
            raise PocketganError(f"{path}: no such file", f"Name {SUFFIX} files, or a folder.")
        return [path.resolve()]
    inside = sorted((f for f in path.glob(f"*{SUFFIX}") if f.is_file()), key=_usual_place)
    if not inside:
        raise PocketganError(f"{path} holds no {SUFFIX} file", "Name another folder, or files.")
    return [file.resolve() for file in inside]


def _usual_place(path: Path) -> tuple[int, str]:
    known = VARIANTS.index(path.stem) if path.stem in VARIANTS else len(VARIANTS)
    return known, path.name


def _names(paths: Sequence[Path]) -> list[str]:
    """The shortest endings of the paths, without suffix, that differ from each other."""
    depth = 1
    while True:
        names = ["/".join((*p.parts[-depth:-1], p.stem)) for p in paths]
        twice = {name for name, number in Counter(names).items() if number > 1}
        if not twice or depth > max(len(path.parts) for path in paths):
            return names if not twice else [str(path) for path in paths]
        depth += 1


def describe(name: str, path: Path) -> MeasuredFile:
    """Sizes of the file, and what it holds where it can be read."""
    facts = describe_file(path)
    try:
        model = read_model(path)
    except PocketganError as error:
        return MeasuredFile.model_validate({"name": name, **facts, "problem": error.problem})
    return MeasuredFile.model_validate(
        {
            "name": name,
            **facts,
            "parameters": count.parameters(model),
            "macs": count.total_macs(model),
            "macs_int8": count.int8_macs(model),
            "float_ops": len(count.float_ops(model)),
            "ops": count.op_counts(model),
            "traffic": _traffic(model),
            "input_shapes": tuple(tensor.shape for tensor in model.inputs),
            "output_shapes": tuple(tensor.shape for tensor in model.outputs),
        }
    )


# Operations that only call the same bytes by another shape.
VIEWS = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")


def _traffic(model: LiteModel) -> int:
    """Every tensor's bytes once: no inference can read its weights and write its results in less.

    What stays in a cache between two operations, or two inferences, need not pass memory. Weights
    are unpacked once, before the first inference.
    """
    constants = {t.buffer_index: t.stored_bytes for t in model.tensors if t.is_constant}
    moved = [tensor for subgraph in model.subgraphs for tensor in subgraph.inputs]
    for subgraph in model.subgraphs:
        for op in subgraph.ops:
            if op.name not in VIEWS and not subgraph.unpacks_constant(op):
                moved += op.outputs
    return sum(constants.values()) + sum(tensor.dense_bytes for tensor in moved)
