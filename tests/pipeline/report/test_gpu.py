from pipeline.report.gpu import reasons_in_words
from pipeline.tflite.gpu import GpuRemark


def remark(operation: str, reason: str) -> GpuRemark:
    return GpuRemark(operation=operation, layer="a", reason=reason, source="https://rules.example")


def test_each_reason_and_each_source_stands_once_with_how_often_it_holds() -> None:
    deep, unknown = "it has more than 4 axes", "the delegate has no such operation"
    remarks = [remark("SUM", deep), remark("SHAPE", unknown), remark("SUM", deep)]
    assert reasons_in_words(remarks) == (
        "SUM (2): it has more than 4 axes; "
        "SHAPE (1): the delegate has no such operation (https://rules.example)"
    )


def test_nothing_left_is_no_words() -> None:
    assert reasons_in_words([]) == ""
