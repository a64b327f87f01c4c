"""The variants of a generator: one .tflite file each, a row in every table."""

from pathlib import Path

VARIANTS = (
    "float32",
    "float16",
    "dynamic-range",
    "int8-ptq",
    "pruned-float32",
    "student-float32",
    "int8-qat",
    "int8",
    "int16x8",
)
BASELINE = "float32"
SHIPPED = "int8"


def find_variants(folder: Path) -> dict[str, Path]:
    """Name → file, of those that are in the folder, in the order of every table."""
    files = {name: folder / f"{name}.tflite" for name in VARIANTS}
    return {name: file for name, file in files.items() if file.is_file()}
