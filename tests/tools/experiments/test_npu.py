from tests.deploy.npu_reports import npu_report
from tools.experiments.npu import NpuRow, table

NPUS = ("ethos-u55-128",)


def row(name: str, flash: int, *, on_npu: bool = True) -> NpuRow:
    return NpuRow(
        name=name,
        bytes=2 * flash,
        bytes_gzip=flash // 2,
        zeros=0.5,
        of_run=name != "theirs",
        p50_ms=None,
        reports=(npu_report(flash, on_npu=on_npu),),
    )


def test_row_holds_flash_and_estimate_and_dashes_for_what_stays_on_the_cpu() -> None:
    rows = [row("int8-qat", 40_000), row("int8", 10_000), row("float32", 90_000, on_npu=False)]
    of_npus = table(rows, NPUS)
    _, pruned, float32 = of_npus.rows
    assert pruned == [
        *("`int8`", "20.0", "5.00", "50.0 %", "–"),
        *("10.0", "9.7", "5.9", "0.800", "3 of 3"),
    ]
    assert float32[5:] == ["90.0", "87.8", "–", "–", "1 of 3"]
    assert "u55-128: compiler's estimate, ms" in of_npus.headings


def test_notes_hold_files_against_the_dense_one_and_say_what_is_on_the_cpu() -> None:
    rows = [row("int8-qat", 40_000), row("int8", 10_000), row("theirs", 50_000)]
    rows += [row(name, 90_000, on_npu=False) for name in ("float32", "float16")]
    assert table(rows, NPUS).notes == [
        "`int8` against `int8-qat` on ethos-u55-128: 0.25× the flash, 1.00× the estimated time.",
        "On the CPU of `float32` and `float16`: Conv2D, Tanh (unsupported DataType Float32).",
    ]
