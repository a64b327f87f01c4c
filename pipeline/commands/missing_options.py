"""What compress needs beside a generator's own facts, asked for together with those."""

from typing import TYPE_CHECKING, Any

from pipeline.importers.missing import MissingFact

if TYPE_CHECKING:  # a command that only shows its help starts without TensorFlow
    from pipeline.importers.teacher import Teacher

_LIMITS = ("max_kb", "max_gzip_kb", "max_macs", "max_ms", "max_flash_kb", "max_quality_drop")
WEIGHTS_A_BYTE = 25
"""For the gzipped file that is proposed: a hundredth of the weights' float32."""
LEAST_GZIP_KB = 12
"""So that there is a student that small."""


def missing_options(
    teacher: "Teacher", options: Any, overrides: list[str], *, paired: bool
) -> list[MissingFact]:
    """What is missing; ``paired``: what it reads is known, as it was trained here."""
    if not teacher.latent:
        return [] if options.inputs or paired else [_INPUTS]
    is_limited = any(getattr(options, name) is not None for name in _LIMITS)
    if is_limited or any(each.startswith("--budget.max") for each in overrides):
        return []
    kilobytes = max(LEAST_GZIP_KB, teacher.model.count_params() // WEIGHTS_A_BYTE // 1000)
    return [
        MissingFact(
            problem="how large or slow its student may be was not said",
            option=f"--max-gzip-kb {kilobytes}",
            guess={},
        )
    ]


_INPUTS = MissingFact(
    problem="it reads pictures, and its student learns from a folder of such, FOLDER here",
    option="--inputs FOLDER",
    guess={},
)
