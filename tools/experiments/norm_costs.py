"""What does batch norm cost a generator for pictures, in the place of CycleGAN's instance norm?

CycleGAN's network learns the pairs of a recipe by squared error, once with each; the squared error
to the truth of the test pictures is compared, as PSNR. Instance norm has no int8 form: the file
would hold float operations, or take its mean and variance of every map in int8.

    python -m tools.experiments.norm_costs [--recipe emoji-3d] [--width 16] [--steps 1500]
        [--seeds 1 2 3] [--json]

Its figures stand in docs/decisions.md.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import tf_keras
from rich.table import Table

from pipeline.compression.graph import clone_layer, rebuild
from pipeline.consoles import console
from pipeline.data.dataset import Dataset
from pipeline.determinism import prepare
from pipeline.networks import cyclegan
from pipeline.networks.pixels import TRANSLATED, to_uint8
from pipeline.networks.settings import GeneratorSettings
from pipeline.networks.translators import TranslatorShape
from pipeline.recipe.reading import load_recipe
from pipeline.run import Run
from pipeline.search.candidates import decibels
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.distiller import Distiller
from tools.console import run_as_program

BATCH, RATE = 8, 2e-3
EPSILON = 1e-5
"""CycleGAN's own, of its published code."""


def with_instance_norm(model: tf_keras.Model) -> tf_keras.Model:
    """The same network, untrained, with instance norm (Ulyanov 2016) behind its convolutions."""

    def replaced(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            # As many groups as channels: each map of each picture is normalized by itself.
            return tf_keras.layers.GroupNormalization(groups=-1, epsilon=EPSILON, name=layer.name)
        return clone_layer(layer)

    return rebuild(model, replaced)


def psnr_to_truth(dataset: Dataset, *, width: int, steps: int, seed: int, instance: bool) -> float:
    """Train one network on the pairs; PSNR to the truth of the test pictures, in dB."""
    assert dataset.train_inputs is not None
    assert dataset.test_inputs is not None
    prepare(seed)
    shape = TranslatorShape(
        source=dataset.train_inputs.shape[1:],
        image=dataset.train.shape[1:],
        source_pixels=TRANSLATED,
        pixels=TRANSLATED,
    )
    network = cyclegan.generator(GeneratorSettings(name="resnet", width=width), shape)
    network = with_instance_norm(network) if instance else network
    pairs = DistillationSet(dataset.train_inputs, dataset.train, 0, TRANSLATED)
    distiller = Distiller(
        network, pairs, pixels=TRANSLATED, steps=steps, rate=RATE, batch=BATCH, seed=seed
    )
    distiller.train(steps)
    distiller.settle()
    held = DistillationSet(dataset.test_inputs, dataset.test, 0, TRANSLATED)
    pictures = to_uint8(network.predict(held.readable(), batch_size=BATCH, verbose=0), TRANSLATED)
    error = np.square(pictures.astype(np.float64) - held.pictures)
    return decibels(float(error.mean()))


def main() -> int:
    """0, always: it only measures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--recipe", default="emoji-3d", help="whose pairs are learnt")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    dataset = Run(load_recipe(options.recipe), Path("runs")).dataset
    rows = [
        {
            "seed": seed,
            **{
                name: psnr_to_truth(
                    dataset, width=options.width, steps=options.steps, seed=seed, instance=instance
                )
                for name, instance in (("batch norm", False), ("instance norm", True))
            },
        }
        for seed in options.seeds
    ]
    if options.json:
        print(json.dumps(rows))
        return 0
    table = Table("seed", "batch norm, dB", "instance norm, dB")
    for row in rows:
        table.add_row(str(row["seed"]), *(f"{row[name]:.2f}" for name in list(row)[1:]))
    console().print(table)
    return 0


if __name__ == "__main__":
    run_as_program(main)
