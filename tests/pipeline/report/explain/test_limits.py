from pipeline.report.explain.limits import limits
from tests.pipeline.report.explain.conftest import Explained, File, Operation


def test_counted_core_has_the_least_of_instructions_and_of_cycles(explained: Explained) -> None:
    least, over, cycles = limits(explained())
    # 1.2 million MACs at 8 an SMLAL; 800,000 of them alone are 100,000 of 900,000.
    assert "need 150 thousand instructions, 15.0 % of those executed" in least
    assert "TRANSPOSE_CONV in transpose_conv 9×" in over
    assert "executed take at least 500 thousand" in cycles
    assert "multiply-accumulates take at least 300 thousand. The first is the nearer" in cycles


def test_core_whose_pipelines_are_not_documented_has_no_cycles(explained: Explained) -> None:
    assert len(list(limits(explained(target="arm:cortex-a72")))) == 2


def test_file_without_multiplications_has_no_limit(
    explained: Explained, file: File, operation: Operation
) -> None:
    assert not list(limits(explained(file=file(operation("TANH", 10.0)))))


def test_this_machine_has_rates_and_its_memory(
    explained: Explained, file: File, operation: Operation
) -> None:
    timed = file(
        operation("CONV_2D", 0.5, macs=10_000_000),
        operation("TRANSPOSE_CONV", 0.5, macs=1_000_000),
        traffic=1_000_000,
    )
    rates, memory = limits(explained(unit="ms", target="local", file=timed, bandwidth=1e10))
    assert "CONV_2D 20.0 and TRANSPOSE_CONV 2.00" in rates
    assert "takes 0.100 ms, 10.0 % of the time: memory is not what binds it" in memory


def test_memory_binds_where_passing_it_takes_most_of_the_time(
    explained: Explained, file: File, operation: Operation
) -> None:
    def memory(cost: float) -> str:
        timed = file(operation("FULLY_CONNECTED", cost, macs=10), traffic=1_000_000)
        return list(limits(explained(unit="ms", target="local", file=timed, bandwidth=1e10)))[-1]

    assert "memory is what binds it" in memory(0.11)
    assert "its weights stay in caches" in memory(0.05)


def test_npu_has_the_peak_that_its_name_says(
    explained: Explained, file: File, operation: Operation
) -> None:
    left = operation("FULLY_CONNECTED", 0.0, macs=9, on_fast_path=False)  # of no cycles there
    compiled = file(operation("CONV_2D", 100.0, macs=6400), left)
    npu = {"target": "npu:ethos-u55-128", "unit": "cycles", "fast_path": "NPU"}
    least, reached = limits(explained(**npu, file=compiled, other=None))
    assert "at least 50 cycles, 50.0 % of the estimate" in least
    assert "CONV_2D in conv_2d 64.0" in reached
