"""Which operations of a file XNNPACK leaves to slower kernels: the runtime is asked."""

from ai_edge_litert.interpreter import Interpreter

from deploy.agent import delegated_operations
from deploy.errors import PocketganError
from pipeline.tflite.model import Op
from pipeline.tflite.read import read_model


def left_behind(content: bytes) -> list[Op]:
    """The operations, in order, that the runtime here does not give to XNNPACK.

    What only unpacks constants is not among them. Raises PocketganError where the file does not
    load.
    """
    try:
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise PocketganError(
            f"the file does not load: {' '.join(str(error).split())}",
            "An operation in it has no kernel for these types.",
        ) from error
    taken = delegated_operations(interpreter) or []
    graph = read_model(content).subgraphs[0]
    return [
        op
        for op, is_taken in zip(graph.ops, taken, strict=False)
        if not is_taken and not graph.unpacks_constant(op)
    ]
