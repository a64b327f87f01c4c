from rich.console import Console

from pipeline.importers.layer_report import SCHEMA, Check, LayerOutcome, LayerReport
from pipeline.report.check import MOST_ROWS, render


def page(layers: tuple[LayerReport, ...]) -> str:
    check = Check(
        schema=SCHEMA,
        path="theirs.onnx",
        origin="ONNX file theirs.onnx",
        input_shape=(8, 8, 3),
        output_shape=(8, 8, 3),
        latent=0,
        classes=0,
        inputs=(),
        pixels=(0.0, 1.0),
        input_pixels=(0.0, 1.0),
        layers=layers,
        files=(),
        notes=(),
        slimming=False,
        verdict="can be compressed: edge students only",
    )
    console = Console(width=120)
    with console.capture() as capture:
        console.print(render(check))
    return capture.get()


def layers(count: int, *, last: LayerOutcome = LayerOutcome.REPLACED) -> tuple[LayerReport, ...]:
    """As many as asked for, a convolution of 10 weights and a Relu in turn."""
    return tuple(
        LayerReport(
            name=f"layer_{number}",
            type="Relu" if number % 2 else "Conv",
            shape=(None, 8, 8, 3),
            weights=0 if number % 2 else 10,
            outcome=last if number == count - 1 else LayerOutcome.REPLACED,
            reason="it is opaque",
        )
        for number in range(count)
    )


def test_many_layers_with_one_fate_are_shown_by_their_types() -> None:
    text = page(layers(MOST_ROWS + 10))
    rows = [line for line in text.splitlines() if "replaced [1]" in line]
    assert len(rows) == 2
    assert "layer_0 and 24 more" in rows[0]
    assert "250" in rows[0]
    assert "layer_1 and 24 more" in rows[1]


def test_few_layers_and_those_with_several_fates_are_shown_each() -> None:
    assert page(layers(MOST_ROWS)).count("replaced [1]") == MOST_ROWS
    mixed = page(layers(MOST_ROWS + 10, last=LayerOutcome.SUPPORTED))
    assert mixed.count("replaced [1]") == MOST_ROWS + 9
