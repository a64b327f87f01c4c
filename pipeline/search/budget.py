"""What a file may cost, and how far a predicted cost is from it. Loads no TensorFlow."""

from dataclasses import dataclass
from typing import NamedTuple

from pipeline.recipe import BudgetSettings

KILO = 1000
LEAST_SAVING = 10
"""Int8 bytes of the teacher over those of a student that is worth its training."""


@dataclass(frozen=True)
class Cost:
    """The predicted cost of a generator's int8 file."""

    bytes: int
    bytes_gzip: int
    """After gzip, level 9."""
    macs: int
    """Multiply-accumulates of one picture, exactly."""
    p50_ms: float | None = None
    """None where no target was asked, or one that counts."""
    instructions: int | None = None
    """Of one picture; None where no target was asked, or one that times."""


class Limit(NamedTuple):
    """One limit: the cost's field, the most it may be, and both in words."""

    field: str
    most: float
    words: str

    def share(self, cost: Cost) -> float:
        """How much of the limit a cost uses; 1 is all of it."""
        return float(getattr(cost, self.field)) / self.most


@dataclass(frozen=True)
class Budget:
    """The limits that bind."""

    limits: tuple[Limit, ...]

    def share(self, cost: Cost) -> float:
        """How much of the tightest limit a cost uses."""
        return max((limit.share(cost) for limit in self.limits), default=0.0)

    def tightest(self, cost: Cost) -> Limit:
        return max(self.limits, key=lambda limit: limit.share(cost))


def budget_of(settings: BudgetSettings) -> Budget:
    """The limits of a recipe, the quality drop not among them: it is measured, not predicted."""
    named = (
        ("bytes", settings.max_kb and settings.max_kb * KILO, "--max-kb", "kB"),
        ("bytes_gzip", settings.max_gzip_kb and settings.max_gzip_kb * KILO, "--max-gzip-kb", "kB"),
        ("macs", settings.max_macs, "--max-macs", "MACs"),
        ("p50_ms", settings.max_ms, "--max-ms", f"ms on {settings.target}"),
    )
    return Budget(
        tuple(
            Limit(field, float(most), f"{option} {_plain(field, most)} ({unit})")
            for field, most, option, unit in named
            if most
        )
    )


def budget_for_quality(weights: int) -> Budget:
    """Where only the quality is limited: a size that every student is drawn below."""
    most = weights / LEAST_SAVING
    return Budget((Limit("bytes_gzip", most, f"{_plain('bytes_gzip', most)} kB gzipped"),))


def gates_of(settings: BudgetSettings) -> list[str]:
    """The same limits as gates of the report, so that the files are held to them."""
    drop = settings.max_quality_drop
    gates = [
        f"bytes <= {settings.max_kb * KILO:.0f}" if settings.max_kb else "",
        f"bytes_gzip <= {settings.max_gzip_kb * KILO:.0f}" if settings.max_gzip_kb else "",
        f"macs <= {settings.max_macs}" if settings.max_macs else "",
        f"p50_ms <= {settings.max_ms:.6f}"
        if settings.max_ms and settings.target == "local"
        else "",
        f"frechet_ratio <= {1 + drop:.6f}" if drop else "",
    ]
    return ["float_ops == 0", *filter(None, gates)]


def _plain(field: str, most: float) -> str:
    return f"{most / KILO:g}" if field.startswith("bytes") else f"{most:g}"
