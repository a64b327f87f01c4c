"""The flash that a student will need on an NPU: its untrained int8 file, compiled.

How far a compiler gets weights down is not foretold by a formula here: it is asked. An untrained
student's kernels are drawn from the normal distribution, which those of trained ones are near to,
with the zeros and the levels that they will have.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tf_keras

from deploy.errors import PocketganError
from deploy.jobs import NpuReport
from deploy.targets import find_target, offered
from deploy.targets.npu import Npu
from deploy.targets.vela import compile_file
from pipeline.compression.bits import kernel_layers
from pipeline.compression.fold import fold_batch_norm
from pipeline.compression.spec import CompressionSpec, compressed
from pipeline.recipe.sections import BudgetSettings
from pipeline.tflite.convert import to_int8_post_training
from pipeline.tflite.rewrite import without_ballast


@dataclass(frozen=True)
class NpuCompiler:
    """Compiles untrained networks for one NPU."""

    accelerator: str

    def report(
        self, model: tf_keras.Model, inputs: np.ndarray, spec: CompressionSpec, *, trained: bool
    ) -> NpuReport:
        """What the compiler says of the int8 file of a float model.

        Args:
            inputs: float32 [N, …], some that it may read.
            spec: how far its kernels will be compressed.
            trained: whether its weights are what they will be, or near it.

        Raises:
            PocketganError: the compiler cannot compile the file.
        """
        folded = fold_batch_norm(model)
        random = np.random.default_rng(0)
        *inner, last = kernel_layers(folded)
        for name in (*inner, last):
            layer = folded.get_layer(name)
            kernel, *others = layer.get_weights()
            if not trained:
                kernel = random.normal(scale=kernel.std() or 1.0, size=kernel.shape)
            # The last layer keeps its small weights: its pixels show each of them.
            own = spec if name != last else CompressionSpec(spec.bits)
            layer.set_weights([compressed(np.float32(kernel), own), *others])
        with tempfile.TemporaryDirectory(prefix="pocketgan-flash-") as folder:
            path = Path(folder) / "student.tflite"
            path.write_bytes(without_ballast(to_int8_post_training(folded, inputs)))
            return compile_file(path, self.accelerator)


def compiler_of(limits: BudgetSettings) -> NpuCompiler | None:
    """The compiler of the target whose flash is limited; None where none is.

    Raises PocketganError for a target that has none, and for one that is not installed.
    """
    if limits.max_flash_kb is None:
        return None
    target = find_target(limits.target)
    if not isinstance(target, Npu):
        name = next(each.name for each in offered() if isinstance(each, Npu))
        raise PocketganError(
            f"target {limits.target} tells nothing of flash, which --max-flash-kb limits.",
            f"Give an NPU, for instance --target {name}; `pocketgan targets` lists them all.",
        )
    target.require()
    return NpuCompiler(target.accelerator)
