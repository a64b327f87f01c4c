from pipeline.report.explain.compared import counterparts, kinds, rounded_and_float
from tests.pipeline.report.explain.conftest import Explained, File, Operation


def test_kinds_are_added_up_the_dearest_first(file: File, operation: Operation) -> None:
    some = file(operation("A", 1.0), operation("B", 3.0, macs=5), operation("A", 1.0))
    assert [(kind.operation, kind.cost, kind.macs) for kind in kinds(some)] == [
        ("B", 3, 5),
        ("A", 2, 0),
    ]


def test_operations_of_a_type_meet_in_order_whatever_their_layers_are_called(
    file: File, operation: Operation
) -> None:
    ours = file(operation("A", 1.0, layer="x"), operation("B", 1.0), operation("A", 2.0, layer="y"))
    theirs = file(operation("A", 3.0, layer="p"), operation("A", 4.0, layer="q"))
    costs = [match.cost if match else None for match in counterparts(ours, theirs)]
    assert costs == [3, None, 4]


def test_where_their_numbers_differ_layers_decide(file: File, operation: Operation) -> None:
    ours = file(operation("A", 1.0, layer="x"), operation("A", 2.0, layer="y"))
    theirs = file(operation("A", 4.0, layer="y"))
    costs = [match.cost if match else None for match in counterparts(ours, theirs)]
    assert costs == [None, 4]


def test_without_another_file_nothing_meets(file: File, operation: Operation) -> None:
    assert counterparts(file(operation("A", 1.0)), None) == [None]


def test_pair_of_types_is_found_whichever_comes_first(explained: Explained) -> None:
    pair = explained()
    assert rounded_and_float(pair) == (pair.file, pair.other)
    assert rounded_and_float(explained(file=pair.other, other=pair.file)) == (pair.file, pair.other)
    assert rounded_and_float(explained(other=pair.file)) is None
    assert rounded_and_float(explained(other=None)) is None
