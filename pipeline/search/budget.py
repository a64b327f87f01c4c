"""What a file may cost, and how much of that a predicted cost uses. Needs no TensorFlow."""

from dataclasses import dataclass
from typing import NamedTuple

from pipeline.recipe.sections import BudgetSettings

KILO = 1000
LEAST_SAVING = 10
"""Int8 bytes of the teacher over those of a student that is worth its training."""


@dataclass(frozen=True, kw_only=True)
class FileCost:
    """What a generator's int8 file costs: predicted here, before it is trained or converted."""

    bytes: int
    bytes_gzip: int
    """After gzip, level 9."""
    macs: int
    """Multiply-accumulates of one picture, exactly."""
    p50_ms: float | None = None
    """Median latency; None where no target is given, or one that counts."""
    instructions: int | None = None
    """Of one picture; None where no target is given, or one that times."""
    flash_bytes: int | None = None
    """Of the compiled file on an NPU; None where they are not limited."""


class BudgetLimit(NamedTuple):
    """The most that one field of a cost may be."""

    field: str
    most: float
    description: str

    def option(self, most: float) -> str:
        """The command's option for another limit of the same field, to three digits."""
        most = float(f"{most:.3g}")
        number = f"{most:.0f}" if self.field == "macs" else _number(self.field, most)
        return f"{self.description.split()[0]} {number}"

    def share(self, cost: FileCost) -> float:
        """How much of the limit a cost uses; 1 is all of it."""
        return float(getattr(cost, self.field)) / self.most


@dataclass(frozen=True)
class Budget:
    """All limits of a file; a cost fits where it uses at most 1 of the tightest."""

    limits: tuple[BudgetLimit, ...]

    def share(self, cost: FileCost) -> float:
        """How much of the tightest limit a cost uses."""
        return max((limit.share(cost) for limit in self.limits), default=0.0)

    def tightest(self, cost: FileCost) -> BudgetLimit:
        """The limit of which a cost uses most."""
        return max(self.limits, key=lambda limit: limit.share(cost))


def budget_of(settings: BudgetSettings) -> Budget:
    """The limits of a recipe, the quality drop not among them: it is measured, not predicted."""
    options = (
        ("bytes", settings.max_kb and settings.max_kb * KILO, "--max-kb", "kB"),
        ("bytes_gzip", settings.max_gzip_kb and settings.max_gzip_kb * KILO, "--max-gzip-kb", "kB"),
        ("macs", settings.max_macs, "--max-macs", "MACs"),
        ("p50_ms", settings.max_ms, "--max-ms", f"ms on {settings.target}"),
        (
            "flash_bytes",
            settings.max_flash_kb and settings.max_flash_kb * KILO,
            "--max-flash-kb",
            f"kB of flash on {settings.target}",
        ),
    )
    return Budget(
        tuple(
            BudgetLimit(field, float(most), f"{option} {_number(field, most)} ({unit})")
            for field, most, option, unit in options
            if most
        )
    )


def search_budget(settings: BudgetSettings, weights: int) -> Budget:
    """The limits that students are drawn within: where only the quality is limited, one of size.

    That follows from the number of the teacher's ``weights``.
    """
    limits = budget_of(settings)
    if limits.limits:
        return limits
    most = weights / LEAST_SAVING
    return Budget((BudgetLimit("bytes_gzip", most, f"{_number('bytes_gzip', most)} kB gzipped"),))


def gates_of(settings: BudgetSettings) -> list[str]:
    """The same limits, and the quality drop, as gates that the report holds the files to."""
    drop = settings.max_quality_drop
    gates = [
        f"bytes <= {settings.max_kb * KILO:.0f}" if settings.max_kb else "",
        f"bytes_gzip <= {settings.max_gzip_kb * KILO:.0f}" if settings.max_gzip_kb else "",
        f"macs <= {settings.max_macs}" if settings.max_macs else "",
        f"p50_ms <= {settings.max_ms:.6f}"
        if settings.max_ms and settings.target == "local"
        else "",
        f"flash_bytes <= {settings.max_flash_kb * KILO:.0f}" if settings.max_flash_kb else "",
        f"frechet_ratio <= {1 + drop:.6f}" if drop else "",
    ]
    return ["float_ops == 0", *filter(None, gates)]


def _number(field: str, most: float) -> str:
    return f"{most / KILO:g}" if "bytes" in field else f"{most:g}"
