"""A .tflite in the runtime that ships it: what it draws, and what XNNPACK does not take."""

from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from deploy.agent import delegated_operations
from deploy.errors import PocketganError, one_line
from pipeline import progress
from pipeline.tflite.model import LiteModel, Op
from pipeline.tflite.read import read_model


def draw(
    file: Path | bytes, latents: np.ndarray, description: str = "", *, plain: bool = False
) -> np.ndarray:
    """What a generator file draws: latents float32 [N, L] → float32 [N, H, W, C].

    Integer inputs are rounded with the file's own scale, integer outputs widened with it. N is cut
    down to a multiple of the file's batch. ``plain``: by TFLite's own kernels, without XNNPACK's.
    Raises PocketganError where the file is missing, damaged or does not run.
    """
    name = str(file) if isinstance(file, Path) else "the model"
    try:
        interpreter = _open(file, plain=plain)
        source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        batch = int(source["shape"][0])
        wanted = source["shape"][1:].tolist()
        if list(latents.shape[1:]) != wanted:
            raise PocketganError(
                f"{name} reads latents of shape {wanted}, and was given {list(latents.shape[1:])}.",
                "Convert it with this recipe.",
            )
        rows = encoded(latents, source)
        starts = range(0, len(latents) - batch + 1, batch)
        pictures = np.empty([len(starts) * batch, *target["shape"][1:]], target["dtype"])
        for start in progress.track(starts, description) if description else starts:
            interpreter.set_tensor(source["index"], rows[start : start + batch])
            interpreter.invoke()
            pictures[start : start + batch] = interpreter.get_tensor(target["index"])
    except (OSError, RuntimeError, ValueError, IndexError) as error:
        raise PocketganError(
            f"{name} does not run: {' '.join(str(error).split())}",
            "Look at it with `pocketgan inspect`.",
        ) from error
    return decoded(pictures, target)


def draw_all(content: bytes, inputs: np.ndarray) -> list[np.ndarray]:
    """All outputs of a file of batch 1, float32 [N, …] each, for inputs float32 [N, …]."""
    interpreter = _open(content)
    source, targets = interpreter.get_input_details()[0], interpreter.get_output_details()
    outputs: list[list[np.ndarray]] = [[] for _ in targets]
    for values in encoded(inputs, source):
        interpreter.set_tensor(source["index"], values[None])
        interpreter.invoke()
        for rows, target in zip(outputs, targets, strict=True):
            rows.append(decoded(interpreter.get_tensor(target["index"]), target))
    return [np.concatenate(rows) for rows in outputs]


def shapes_when_run(model: LiteModel) -> list[dict[int, tuple[int, ...]]]:
    """Of each sub-graph: the shapes of its computed tensors, by their index, in one run.

    Inputs are zeros; indices are ones, so that loops turn. Raises PocketganError where the runtime
    here does not run it.
    """
    try:
        interpreter = Interpreter(
            model_content=model.content,
            num_threads=1,
            # A delegate hides what it computes.
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
        for port in interpreter.get_input_details():
            is_index = np.dtype(port["dtype"]).kind in "iu" and not port["quantization"][0]
            values = np.full(port["shape"], int(is_index), port["dtype"])
            interpreter.set_tensor(port["index"], values)
        interpreter.invoke()
        details = [interpreter.get_tensor_details(n) for n in range(len(model.subgraphs))]
    except (MemoryError, RuntimeError, ValueError) as error:
        raise PocketganError(
            f"it does not run here at these sizes: {one_line(error, 300)}",
            "Give other sizes with --size.",
        ) from error
    shapes = [{row["index"]: tuple(map(int, row["shape"])) for row in rows} for rows in details]
    return [
        {t.index: rows[t.index] for t in graph.tensors if not t.is_constant and t.index in rows}
        for graph, rows in zip(model.subgraphs, shapes, strict=True)
    ]


def left_behind(content: bytes) -> list[Op]:
    """The operations, in order, that the runtime here does not give to XNNPACK.

    What only unpacks constants is not among them. Raises PocketganError where the file does not
    load.
    """
    taken = taken_by_xnnpack(content)
    graph = read_model(content).subgraphs[0]
    return [
        op
        for op, is_taken in zip(graph.ops, taken, strict=False)
        if not is_taken and not graph.unpacks_constant(op)
    ]


def taken_by_xnnpack(content: bytes) -> list[bool]:
    """For each operation, in order, whether the runtime here gives it to XNNPACK; none where it
    does not tell. Raises as ``left_behind`` does."""
    try:
        interpreter = _open(content)
    except (RuntimeError, ValueError) as error:
        raise PocketganError(
            f"the file does not load: {' '.join(str(error).split())}",
            "An operation in it has no kernel for these types.",
        ) from error
    return delegated_operations(interpreter) or []


def _open(file: Path | bytes, *, plain: bool = False) -> Any:
    content = file.read_bytes() if isinstance(file, Path) else file
    kernels = OpResolverType.AUTO
    if plain:
        kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(
        model_content=content, num_threads=1, experimental_op_resolver_type=kernels
    )
    interpreter.allocate_tensors()
    return interpreter


def encoded(values: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    """Values as the tensor that the interpreter's ``detail`` describes holds them."""
    scale, zero_point = detail["quantization"]
    if np.dtype(detail["dtype"]).kind not in "iu":
        return values.astype(detail["dtype"])
    limits = np.iinfo(detail["dtype"])
    steps = np.rint(values / (scale or 1.0)) + zero_point
    return np.asarray(np.clip(steps, limits.min, limits.max), detail["dtype"])


def decoded(values: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    """What a tensor holds as float32."""
    scale, zero_point = detail["quantization"]
    if not scale:
        return values.astype(np.float32)
    return np.asarray((values.astype(np.float32) - zero_point) * scale, np.float32)
