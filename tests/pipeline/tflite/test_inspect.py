import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from deploy.errors import PocketganError
from pipeline.commands.inspect import render
from pipeline.tflite import count
from pipeline.tflite.inspect import describe
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import PROVENANCE, write_metadata

Variant = Callable[[str], bytes]


def stored(content: bytes, folder: Path) -> Path:
    path = folder / "generator.tflite"
    path.write_bytes(content)
    return path


def printed(summary: dict[str, Any], width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(render(summary))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_summary_of_an_int8_file(variant: Variant, tmp_path: Path) -> None:
    content = variant("int8")
    summary = describe(stored(content, tmp_path))
    model = read_model(content)
    assert summary["bytes"] == len(content)
    assert summary["bytes_gzip"] == model.size_gzip
    assert summary["sha256"] == model.sha256
    assert summary["float_ops"] == []
    assert summary["parameters"] == 1976 + 95
    assert summary["weights"] == 1976
    assert summary["zeros"] == 1480 / 1976
    assert summary["macs"] == count.total_macs(model)
    assert summary["arena"] == {"peak": 2000, "lower_bound": 2000, "alignment": 16}
    assert summary["bytes_by_layer"] == count.bytes_by_layer(model)
    assert summary["dtypes"]["int8"] == 12
    assert summary["provenance"] is None
    (latent,) = summary["inputs"]
    assert (latent["name"], latent["shape"], latent["dtype"]) == ("latent", [1, 16], "int8")
    assert summary["outputs"] == [
        {
            "name": "image",
            "shape": [1, 8, 8, 3],
            "free_axes": [],
            "dtype": "int8",
            "scales": [1 / 128],
            "zero_points": [0],
        }
    ]


def test_summary_has_one_row_an_operation_that_adds_up(variant: Variant, tmp_path: Path) -> None:
    summary = describe(stored(variant("int8"), tmp_path))
    rows = summary["layers"]
    assert rows[3] == {
        "layer": "conv2d_transpose",
        "op": "TRANSPOSE_CONV",
        "activation": "relu",
        "shape": [1, 8, 8, 6],
        "free_axes": [],
        "loop": None,
        "dtype": "int8",
        "weights_dtype": "int8",
        "weights": 480,
        "zeros": 360 / 480,
        "macs": 7680,
        "bytes": 480 + 4 * 6 + 4 * 4,
    }
    assert rows[1]["weights"] == 0
    assert rows[1]["zeros"] is None
    for total in ("weights", "macs"):
        assert sum(row[total] for row in rows) == summary[total]
    structure = summary["bytes_by_layer"][count.STRUCTURE]
    assert sum(row["bytes"] for row in rows) + structure == summary["bytes"]


@pytest.mark.parametrize("kind", ["float32", "float16", "dynamic-range", "int16x8", "sparse"])
def test_summary_survives_json(kind: str, variant: Variant, tmp_path: Path) -> None:
    summary = describe(stored(variant(kind), tmp_path))
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_summary_holds_the_provenance(variant: Variant, tmp_path: Path) -> None:
    origin = {"recipe": "digits", "seed": 1}
    content = write_metadata(variant("int8"), PROVENANCE, json.dumps(origin).encode())
    summary = describe(stored(content, tmp_path))
    assert summary["provenance"] == origin
    assert summary["metadata"][-1] == PROVENANCE
    assert '"recipe": "digits"' in printed(summary)


def test_a_provenance_that_is_not_json_is_said_and_stops_nothing(
    variant: Variant, tmp_path: Path
) -> None:
    content = write_metadata(variant("int8"), PROVENANCE, b"\xff{")
    assert describe(stored(content, tmp_path))["provenance"] == {"error": "this entry is not JSON"}


def test_a_scale_that_is_no_number_is_none(
    pack: Callable[..., bytes], tensor: Callable[..., Any], tmp_path: Path
) -> None:
    from ai_edge_litert import schema_py_generated as schema

    scale = schema.QuantizationParametersT(
        scale=np.array([np.nan], np.float32), zeroPoint=np.array([0], np.int64)
    )
    summary = describe(stored(pack([tensor((2,), quantization=scale)], [], []), tmp_path))
    assert summary["inputs"][0]["scales"] == [None]
    assert "scale None" in printed(summary)


def test_the_table_shows_every_layer_and_the_totals(variant: Variant, tmp_path: Path) -> None:
    text = printed(describe(stored(variant("int8"), tmp_path)))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "conv2d_transpose TRANSPOSE_CONV + relu 1×8×8×6 int8 480 75.0 % 7,680 520" in lines
    assert "leaky LEAKY_RELU 1×80 int8" in lines
    assert any(line.startswith("all 1,976 74.9 % 22,784") for line in lines)
    assert "float operations none" in lines
    assert "zeros 74.9 % of 1,976 kernel weights" in lines
    assert "tensor arena about 2,000 bytes at 16-byte alignment, at least 2,000" in lines


def test_the_table_names_the_float_operations_among_integers(
    variant: Variant, tmp_path: Path
) -> None:
    text = printed(describe(stored(variant("int8 inside float borders"), tmp_path)))
    assert "2 of 9" in text
    assert "DEQUANTIZE in picture: its output is float32" in text


def test_the_table_says_which_weights_differ_from_the_output(
    variant: Variant, tmp_path: Path
) -> None:
    text = printed(describe(stored(variant("dynamic-range"), tmp_path)))
    assert "1,280 int8" in text
    assert "all 7" in text


def test_the_table_fits_a_narrow_terminal(variant: Variant, tmp_path: Path) -> None:
    text = printed(describe(stored(variant("float16"), tmp_path)), width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert "..." not in text
    assert "…" not in text


def test_names_with_markup_are_printed_as_they_are(
    pack: Callable[..., bytes], tensor: Callable[..., Any], tmp_path: Path
) -> None:
    tensors = [tensor((2,), name="[/red]in"), tensor((2,), name="m/[bold]x[/nope]/Relu")]
    content = pack(tensors, [], [("RELU", (0,), (1,))], outputs=(1,))
    text = printed(describe(stored(content, tmp_path)))
    assert "[/red]in" in text
    assert "[bold]x[/nope]" in text


def test_a_file_without_weights_has_no_share_of_zeros(
    pack: Callable[..., bytes], tensor: Callable[..., Any], tmp_path: Path
) -> None:
    content = pack([tensor((2,)), tensor((2,))], [], [("RELU", (0,), (1,))])
    summary = describe(stored(content, tmp_path))
    assert summary["zeros"] is None
    assert "none of 0 kernel weights" in printed(summary)


def test_a_damaged_file_is_an_error_that_names_it(variant: Variant, tmp_path: Path) -> None:
    path = stored(variant("int8")[:500], tmp_path)
    with pytest.raises(PocketganError, match=r"generator\.tflite is damaged or truncated"):
        describe(path)


def test_inspecting_does_not_load_tensorflow() -> None:
    lines = "import sys, pipeline.tflite.inspect, pipeline.tflite.rewrite\n"
    lines += "sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", lines], check=False).returncode == 0
