from typing import Any

import numpy as np
import pytest
import tf_keras

from pipeline.importers.input_layers import Label
from pipeline.importers.part_merging import without_parts
from pipeline.networks.layers import Part
from tests.pipeline.importers.rewritten import kinds, same_after

L = tf_keras.layers


@pytest.fixture
def latents() -> np.ndarray:
    noise = np.random.default_rng(3).normal(size=(6, 4)).astype(np.float32)
    return np.concatenate([noise, np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]], axis=1)


@pytest.mark.parametrize("order", [1, -1])
def test_parts_of_the_input_become_rows_of_kernels(order: int, latents: np.ndarray) -> None:
    port = tf_keras.Input((7,))
    parts = [Part(0, 4)(port), Part(4, 3)(port)][::order]
    both = L.Dense(5)(L.Concatenate()(parts))
    model = tf_keras.Model(port, L.Add()([both, L.Dense(5, "relu")(parts[0])]))
    result = same_after(without_parts, model, latents)
    assert set(kinds(result)) == {"InputLayer", "Dense", "Add"}


@pytest.mark.parametrize("rank", [1, 2])
def test_embedding_of_the_class_becomes_a_dense_layer(rank: int, latents: np.ndarray) -> None:
    port = tf_keras.Input((7,))
    embedded = L.Flatten()(L.Embedding(5, 4)(Label(rank, "float32")(Part(4, 3)(port))))
    model = tf_keras.Model(port, L.Concatenate()([L.Dense(2)(Part(0, 4)(port)), embedded]))
    result = same_after(without_parts, model, latents)
    assert not {"Part", "Label", "Embedding"} & set(kinds(result))


def test_part_that_something_else_reads_stays(latents: np.ndarray) -> None:
    port = tf_keras.Input((7,))
    part = Part(0, 4)(port)
    model = tf_keras.Model(port, L.Multiply()([L.Dense(4)(part), part]))
    assert "Part" in kinds(same_after(without_parts, model, latents))


def embedded(port: Any, dimensions: int, *, shape: tuple[int, ...] | None = None) -> Any:
    """What an embedding looks up of the class at the end of a vector of seven."""
    values = L.Embedding(5, dimensions)(Label(1, "float32")(Part(4, 3)(port)))
    return values if shape is None else L.Reshape(shape)(values)


@pytest.mark.parametrize("order", [1, -1])
def test_embedding_joined_to_latents_becomes_rows_of_the_kernel_that_reads_both(
    order: int, latents: np.ndarray
) -> None:
    port = tf_keras.Input((7,))
    both = L.Concatenate()([Part(0, 4)(port), embedded(port, 6)][::order])
    model = tf_keras.Model(port, L.Dense(5)(both))
    result = same_after(without_parts, model, latents)
    assert kinds(result) == ["InputLayer", "Dense"]
    assert result.layers[-1].kernel.shape == (7, 5)


def test_small_embedding_of_many_classes_is_not_multiplied_into_a_larger_kernel(
    latents: np.ndarray,
) -> None:
    port = tf_keras.Input((7,))
    both = L.Concatenate()([Part(0, 4)(port), embedded(port, 1)])
    result = same_after(without_parts, tf_keras.Model(port, L.Dense(5)(both)), latents)
    assert "Concatenate" in kinds(result)


@pytest.mark.parametrize("kernel", [L.Conv2D, L.Conv2DTranspose])
def test_maps_of_one_pixel_are_joined_in_the_kernel_of_a_convolution(
    kernel: type, latents: np.ndarray
) -> None:
    port = tf_keras.Input((7,))
    noise = L.Reshape((1, 1, 4))(Part(0, 4)(port))
    both = L.Concatenate()([embedded(port, 6, shape=(1, 1, 6)), noise])
    settings: dict[str, Any] = {"padding": "same"} if kernel is L.Conv2D else {"strides": 1}
    result = same_after(
        without_parts, tf_keras.Model(port, kernel(5, 4, **settings)(both)), latents
    )
    assert kinds(result) == ["InputLayer", "Reshape", kernel.__name__]


def test_branches_of_one_pixel_each_read_the_whole_input(latents: np.ndarray) -> None:
    port = tf_keras.Input((7,))
    maps = [L.Reshape((1, 1, size))(Part(at, size)(port)) for at, size in ((0, 4), (4, 3))]
    joined = L.Concatenate()([L.Conv2DTranspose(2, 4)(each) for each in maps])
    result = same_after(without_parts, tf_keras.Model(port, joined), latents)
    assert "Part" not in kinds(result)


def test_embedding_that_something_else_reads_too_stays(latents: np.ndarray) -> None:
    port = tf_keras.Input((7,))
    values = embedded(port, 6)
    joined = L.Dense(6)(L.Concatenate()([Part(0, 4)(port), values]))
    result = same_after(without_parts, tf_keras.Model(port, L.Add()([joined, values])), latents)
    assert "Concatenate" in kinds(result)
