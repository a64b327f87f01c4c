from pathlib import Path

from pipeline.artifacts import find_variants
from pipeline.variants import BASELINE, SHIPPED, VARIANTS


def test_found_variants_come_in_the_order_of_every_table(tmp_path: Path) -> None:
    for name in ("int8", "float32", "int8-ptq", "stranger"):
        (tmp_path / f"{name}.tflite").touch()
    (tmp_path / "float16.tflite").mkdir()
    problems = find_variants(tmp_path)
    assert [*problems] == ["float32", "int8-ptq", "int8"]
    assert problems["int8"] == tmp_path / "int8.tflite"


def test_baseline_and_shipped_variant_are_variants() -> None:
    assert {BASELINE, SHIPPED} < set(VARIANTS)
