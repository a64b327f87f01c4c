"""What a report calls its files and pictures: a trained GAN's run and a student's differ."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.report.run.schema import Report
from pipeline.variants import BASELINE, SHIPPED


@dataclass(frozen=True)
class Wording:
    """The words of one kind of run."""

    remarks: Mapping[str, str] = field(
        default_factory=lambda: {SHIPPED: "ships", BASELINE: "baseline"}
    )
    """Of a variant, beside its name."""
    baseline: str = BASELINE
    """In a sentence."""
    inputs: str = "latents"
    real: str = "real"
    """The pictures that the metrics compare with."""

    @property
    def floor(self) -> str:
        return f"{self.real} against {self.real}"


TEACHERS: Mapping[str, str] = {
    BASELINE: "teacher",
    "int8-ptq": "teacher, rounded",
    "student-float32": "student before rounding",
    SHIPPED: "student, ships",
}


def wording_of(report: Report) -> Wording:
    """The words for the run that a report is of."""
    search = report.search
    if search is None:
        return Wording()
    return Wording(
        TEACHERS,
        f"{BASELINE}, the teacher",
        search.reads,
        "real" if search.real_pictures else "reference",
    )
