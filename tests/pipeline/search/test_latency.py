import numpy as np
import pytest

from pipeline.search.latency import TILES, Latency, Tile, cost_features, fit_latency
from pipeline.search.operations import Operation

COSTS = {
    "a run": 2e-3,
    "FULLY_CONNECTED work": 7e-9,
    "CONV_2D": 1e-4,
    "CONV_2D work": 4e-9,
    "CONV_2D gathered": 3e-8,
    "TANH moved": 4e-7,
}


def network(random: np.random.Generator) -> list[Operation]:
    """Dense, a few convolutions, tanh, of random sizes."""
    units, side, read = (int(random.integers(*span)) for span in ((20, 900), (7, 40), (3, 40)))
    ops = [
        Operation(
            op="FULLY_CONNECTED",
            layer="d",
            inputs=((1, 30),),
            output=(1, units),
            kernel=(units, 30),
            biases=units,
        )
    ]
    for number in range(int(random.integers(1, 4))):
        written, taps = int(random.integers(3, 60)), int(random.choice([1, 3]))
        shape = (1, side, side, written)
        ops.append(
            Operation(
                op="CONV_2D",
                layer=f"c{number}",
                inputs=((1, side, side, read),),
                output=shape,
                kernel=(written, taps, taps, read),
                biases=written,
            )
        )
        read = written
    return [*ops, Operation(op="TANH", layer="t", inputs=(shape,), output=shape)]


def time_of(ops: list[Operation], tile: Tile) -> float:
    return sum(COSTS.get(name, 0) * amount for name, amount in cost_features(ops, tile).items())


@pytest.fixture(scope="module")
def networks() -> dict[str, list[Operation]]:
    random = np.random.default_rng(1)
    return {f"net {number}": network(random) for number in range(20)}


@pytest.mark.parametrize("tile", TILES)
def test_planted_costs_are_found_and_foretell_others(
    tile: Tile, networks: dict[str, list[Operation]]
) -> None:
    measured = {name: time_of(ops, tile) for name, ops in networks.items()}
    latency = fit_latency(measured, networks, target="here", unit="ms")
    assert latency.tile == tile
    assert latency.fit.left_out_largest < 1e-6
    other = network(np.random.default_rng(2))
    assert latency.predict(other) == pytest.approx(time_of(other, tile), rel=1e-6)


def test_measurement_that_does_not_fit_is_named_and_costs_stay_positive(
    networks: dict[str, list[Operation]],
) -> None:
    measured = {name: time_of(ops, (4, 8)) for name, ops in networks.items()}
    measured["net 3"] *= 3
    latency = fit_latency(measured, networks, target="here", unit="ms")
    assert latency.fit.left_out_worst == "net 3"
    assert latency.fit.left_out_largest == pytest.approx(2 / 3, abs=0.05)
    assert min(latency.costs.values()) >= 0


def test_four_output_channels_cost_as_much_work_as_a_whole_tile() -> None:
    def work(channels: int) -> float:
        shape = (1, 7, 7, channels)
        op = Operation(
            op="CONV_2D",
            layer="c",
            inputs=((1, 7, 7, 8),),
            output=shape,
            kernel=(channels, 3, 3, 8),
        )
        return cost_features([op], (8, 16))["CONV_2D work"]

    assert work(4) == work(16) == work(32) / 2


def test_transposed_convolution_works_at_the_positions_of_its_input() -> None:
    op = Operation(
        op="TRANSPOSE_CONV",
        layer="t",
        inputs=((1, 7, 7, 8),),
        output=(1, 14, 14, 4),
        kernel=(4, 4, 4, 8),
    )
    assert cost_features([op], (1, 1))["TRANSPOSE_CONV work"] == op.macs == 7 * 7 * 16 * 8 * 4


def test_reshape_costs_nothing() -> None:
    reshape = Operation(op="RESHAPE", layer="r", inputs=((1, 100),), output=(1, 5, 5, 4))
    assert cost_features([reshape], (1, 1)) == {"a run": 1.0}


def test_latency_survives_json(networks: dict[str, list[Operation]]) -> None:
    measured = {name: time_of(ops, (1, 1)) for name, ops in networks.items()}
    latency = fit_latency(measured, networks, target="here", unit="ms")
    assert Latency.model_validate_json(latency.model_dump_json()) == latency
