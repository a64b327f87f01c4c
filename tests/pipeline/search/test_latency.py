import numpy as np
import pytest

from pipeline.search.latency import TILES, Latency, amounts, fit
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
    ops = [Operation("FULLY_CONNECTED", "d", ((1, 30),), (1, units), (units, 30), units)]
    for number in range(int(random.integers(1, 4))):
        made, taps = int(random.integers(3, 60)), int(random.choice([1, 3]))
        shape = (1, side, side, made)
        kernel = (made, taps, taps, read)
        ops.append(
            Operation("CONV_2D", f"c{number}", ((1, side, side, read),), shape, kernel, made)
        )
        read = made
    return [*ops, Operation("TANH", "t", (shape,), shape)]


def time_of(ops: list[Operation], tile: tuple[int, int]) -> float:
    return sum(COSTS.get(name, 0) * amount for name, amount in amounts(ops, tile).items())


@pytest.fixture(scope="module")
def networks() -> dict[str, list[Operation]]:
    random = np.random.default_rng(1)
    return {f"net {number}": network(random) for number in range(20)}


@pytest.mark.parametrize("tile", TILES)
def test_planted_costs_are_found_and_foretell_others(
    tile: tuple[int, int], networks: dict[str, list[Operation]]
) -> None:
    measured = {name: time_of(ops, tile) for name, ops in networks.items()}
    found = fit("here", "ms", measured, networks)
    assert found.tile == tile
    assert found.fit.left_out_largest < 1e-6
    other = network(np.random.default_rng(2))
    assert found.predict(other) == pytest.approx(time_of(other, tile), rel=1e-6)


def test_measurement_that_does_not_fit_is_named_and_costs_stay_positive(
    networks: dict[str, list[Operation]],
) -> None:
    measured = {name: time_of(ops, (4, 8)) for name, ops in networks.items()}
    measured["net 3"] *= 3
    found = fit("here", "ms", measured, networks)
    assert found.fit.left_out_worst == "net 3"
    assert found.fit.left_out_largest == pytest.approx(2 / 3, abs=0.05)
    assert min(found.costs.values()) >= 0


def test_four_output_channels_cost_as_much_work_as_a_whole_tile() -> None:
    def work(channels: int) -> float:
        shape = (1, 7, 7, channels)
        ops = [Operation("CONV_2D", "c", ((1, 7, 7, 8),), shape, (channels, 3, 3, 8))]
        return amounts(ops, (8, 16))["CONV_2D work"]

    assert work(4) == work(16) == work(32) / 2


def test_transposed_convolution_works_at_the_positions_of_its_input() -> None:
    op = Operation("TRANSPOSE_CONV", "t", ((1, 7, 7, 8),), (1, 14, 14, 4), (4, 4, 4, 8))
    assert amounts([op], (1, 1))["TRANSPOSE_CONV work"] == op.macs == 7 * 7 * 16 * 8 * 4


def test_reshape_costs_nothing() -> None:
    reshape = Operation("RESHAPE", "r", ((1, 100),), (1, 5, 5, 4))
    assert amounts([reshape], (1, 1)) == {"a run": 1.0}


def test_latency_survives_json(networks: dict[str, list[Operation]]) -> None:
    measured = {name: time_of(ops, (1, 1)) for name, ops in networks.items()}
    found = fit("here", "ms", measured, networks)
    assert Latency.model_validate_json(found.model_dump_json()) == found
