from collections.abc import Callable

from pipeline.report.explain.schema import ExplainedOperation, GpuFinding
from pipeline.report.explain.sentences import sections
from tests.pipeline.report.explain.conftest import Explained, File, Operation


def said(explanation: object, topic: str) -> str:
    return " ".join(sections(explanation)[topic])  # type: ignore[arg-type]


def test_cost_is_set_against_the_other_file(explained: Explained) -> None:
    text = said(explained(), "What it costs")
    assert "takes 1.00 million instructions an inference on arm:cortex-a53" in text
    assert "1.54× the 650 thousand instructions that float32.tflite takes" in text


def test_twin_is_called_the_files_own_layers(explained: Explained) -> None:
    text = said(explained(other_is_twin=True), "What it costs")
    assert "that its own layers take in float32 (a file made of it to compare with)." in text


def test_why_there_is_nothing_to_compare_with_is_said(explained: Explained) -> None:
    text = said(explained(other=None, other_absent="it cannot be turned"), "What it costs")
    assert text.endswith("There is nothing to compare it with: it cannot be turned.")
    assert "int8 against float32" not in sections(explained(other=None))


def test_shares_of_kinds_and_their_sum_are_said(explained: Explained) -> None:
    text = said(explained(), "Where that goes")
    assert "transposed convolution (TRANSPOSE_CONV) 90.0 % and dense layer" in text
    assert "Together they make 100.0 % of what the whole file takes." in text


def test_multiplications_that_are_not_in_the_file_are_unknown_and_no_limit_follows(
    explained: Explained, file: File, operation: Operation
) -> None:
    why = "how often a loop turns is not in the file: while"
    loop = file(operation("WHILE", 9.0), macs=None, macs_int8=None, macs_unknown=why)
    explanation = explained(file=loop, other=None)
    text = said(explanation, "What it costs")
    assert f"int8.tflite (int8, an unknown number of multiply-accumulates: {why}) takes" in text
    assert "Distance from the limit" not in sections(explanation)


def test_rest_of_no_cost_is_nothing_and_not_less(
    explained: Explained, file: File, operation: Operation
) -> None:
    large = [operation("CONV_2D", cost) for cost in (0.1, 0.7)]
    more = [operation("ADD", cost) for cost in (0.3, 0.6)]
    parts = file(*large, *more, operation("RESHAPE", 0.0))
    text = said(explained(unit="ms", target="local", file=parts, other=None), "Where that goes")
    assert "and the other operation 0.0 %" in text


def test_small_rest_is_counted(explained: Explained, file: File, operation: Operation) -> None:
    def rest(*others: ExplainedOperation) -> str:
        small = file(operation("CONV_2D", 1000.0, macs=10), *others)
        return said(explained(file=small, other=None), "Where that goes")

    assert "the other operation 0.2 %" in rest(operation("TANH", 2.0))
    assert "the other 2 operations 0.4 %" in rest(operation("TANH", 2.0), operation("ADD", 2.0))


def test_parts_that_do_not_make_the_whole_are_to_be_read_with_care(
    explained: Explained, file: File, operation: Operation
) -> None:
    apart = file(operation("TANH", 0.9), whole=1.0)
    text = said(explained(unit="ms", target="local", file=apart), "Where that goes")
    assert "make 90.0 % of what the whole file takes: read the shares with that much care" in text


def test_busy_machine_is_named_only_where_times_lie_apart(explained: Explained) -> None:
    figures = {"unit": "ms", "target": "local"}
    assert "Do not trust" in said(explained(**figures, spread=0.3), "What it costs")
    assert "Do not trust" not in said(explained(**figures, spread=0.01), "What it costs")


def test_core_without_dot_product_is_named(explained: Explained) -> None:
    assert "cortex-a53 has no dot product" in said(explained(), "Off the fast path")
    assert "no dot product" not in said(explained(target="local"), "Off the fast path")


def test_share_of_the_work_that_dot_products_did_is_counted(
    explained: Explained, file: File, operation: Operation
) -> None:
    counted = file(operation("CONV_2D", 100.0, macs=32_000), dot_products=1000)
    text = said(explained(target="arm:cortex-a76", file=counted), "Off the fast path")
    assert "1.00 thousand of them were counted, enough for 50.0 % of its int8" in text


def test_operations_outside_xnnpack_are_named_with_the_reason(
    explained: Explained, file: File, operation: Operation
) -> None:
    slow = file(
        operation("CONV_2D", 60.0, macs=100),
        operation("TRANSPOSE_CONV", 30.0, on_fast_path=False, why_off="its batch is free"),
        operation("RSQRT", 5.0, on_fast_path=False, why_off="there is no kernel"),
        operation("RSQRT", 5.0, on_fast_path=False, why_off="there is no kernel"),
    )
    text = said(explained(file=slow), "Off the fast path")
    assert "leaves 3 of 4 operations to the CPU's plain kernels, and they take 40.0 %" in text
    assert "TRANSPOSE_CONV (1): its batch is free. RSQRT (2): there is no kernel." in text


def test_target_without_xnnpack_is_said_once(
    explained: Explained, file: File, operation: Operation
) -> None:
    off = {"on_fast_path": False, "why_off": "this target runs nothing through XNNPACK"}
    slow = file(operation("CONV_2D", 60.0, **off), operation("TANH", 1.0, **off))
    text = said(explained(target="local:plain", file=slow), "Off the fast path")
    assert "leaves 2 of 2 operations" in text
    assert "CONV_2D (1) and TANH (1): this target runs nothing through XNNPACK." in text


def test_types_are_compared_in_all_by_kind_and_at_their_worst(explained: Explained) -> None:
    text = said(explained(), "int8 against float32")
    assert "int8 has 1.54× the cost of float32 and 0.25× its bytes: int8 costs more" in text
    assert "FULLY_CONNECTED 0.50× and TRANSPOSE_CONV 2.00×" in text
    assert "int8 is worst in TRANSPOSE_CONV in transpose_conv, 2.00× its cost in float32." in text


def test_float_file_beside_its_int8_twin_is_compared_the_same_way(explained: Explained) -> None:
    pair = explained()
    turned = explained(file=pair.other, other=pair.file)
    assert said(turned, "int8 against float32") == said(pair, "int8 against float32")


def test_file_of_both_types_is_not_called_int8(explained: Explained, file: File) -> None:
    both = file(*explained().file.operations, precision="mixed")
    text = said(explained(file=both), "int8 against float32")
    assert "In all int8 and float together has 1.54× the cost of float32" in text


def test_int8_file_that_is_larger_buys_nothing(explained: Explained, file: File) -> None:
    larger = file(*explained().file.operations, bytes=5000)
    text = said(explained(file=larger), "int8 against float32")
    assert "1.25× its bytes: int8 costs more, and buys nothing here" in text


def test_quick_file_is_said_to_be_mostly_the_runtimes_entrance(
    explained: Explained, file: File, operation: Operation
) -> None:
    def of(ms: float) -> str:
        timed = file(operation("CONV_2D", ms, macs=10))
        return said(explained(target="local", unit="ms", file=timed, other=None), "Where that goes")

    assert "Entering and leaving the runtime" in of(0.0006)
    assert "Entering and leaving the runtime" not in of(0.6)


def test_layer_of_few_channels_is_said_to_waste_int8_kernels(
    explained: Explained, file: File, operation: Operation
) -> None:
    last = {"shape": (1, 28, 28, 1), "macs": 100}
    pair = (file(operation("CONV_2D", 40.0, **last)), file(operation("CONV_2D", 10.0, **last)))
    floats = pair[1].model_copy(update={"precision": "float32"})
    text = said(explained(file=pair[0], other=floats), "int8 against float32")
    assert "it gives 1 channel, and int8 kernels work on 8 or more at once" in text


def test_operations_of_one_file_only_are_named(
    explained: Explained, file: File, operation: Operation
) -> None:
    more = file(operation("CONV_2D", 90.0, macs=10), operation("QUANTIZE", 10.0))
    less = file(operation("CONV_2D", 90.0, macs=10), precision="float32")
    text = said(explained(file=more, other=less), "int8 against float32")
    assert "Only in int8.tflite: QUANTIZE (1), 10.0 % of its cost." in text


def test_what_a_gpu_leaves_is_grouped_by_reason(
    explained: Explained, finding: Callable[..., GpuFinding]
) -> None:
    left = (finding("SHAPE"), finding("SHAPE"), finding("CAST", "it turns int8 into int4"))
    text = said(explained(left_by_gpu=left), "On a phone's GPU")
    assert text.startswith("Not GPU-clean: LiteRT's GPU delegate leaves 3 operations to the CPU")
    assert "SHAPE (2): the delegate has no such operation; CAST (1): it turns" in text


def test_clean_file_is_called_so_with_what_is_drawn_otherwise(
    explained: Explained, finding: Callable[..., GpuFinding]
) -> None:
    otherwise = (finding("TRANSPOSE_CONV", "was reported to draw otherwise"),)
    text = said(explained(otherwise_on_gpu=otherwise), "On a phone's GPU")
    assert text.startswith("GPU-clean")
    assert "TRANSPOSE_CONV was reported to draw otherwise (https://rules.example)." in text


def test_estimates_of_a_compiler_are_called_so_and_what_it_leaves_has_no_cost(
    explained: Explained, file: File, operation: Operation
) -> None:
    compiled = file(
        operation("CONV_2D", 900.0, macs=1000),
        operation("CUMSUM", 0.0, on_fast_path=False, why_off="Unsupported opType"),
    )
    figures = {"target": "npu:ethos-u55-128", "unit": "cycles", "fast_path": "NPU"}
    explanation = explained(**figures, file=compiled, other=None)
    assert "900 cycles an inference" in said(explanation, "What it costs")
    assert "its compiler's estimate" in said(explanation, "What it costs")
    text = said(explanation, "Off the fast path")
    assert "The NPU leaves 1 of 2 operations" in text
    assert "nobody counts what they take there. CUMSUM (1): Unsupported opType." in text
