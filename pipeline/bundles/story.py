"""How a variant was made, in a sentence a stage, from the records of the stages."""

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.bundles.finished import FinishedRun

Settings = Mapping[str, Any]


def steps(run: FinishedRun, variant: str) -> tuple[str, ...]:
    """The sentences of the stages that this variant went through, in order."""
    told = []
    for stage in (*_STAGES.get(variant, ("train",)), "convert"):
        if stage in run.records:
            told.append(_TELL[stage](run.records[stage].settings, variant))
    return tuple(told)


_STAGES = {
    "pruned-float32": ("train", "prune"),
    "int8-qat": ("train", "quantize"),
    "int8": ("train", "prune", "quantize"),
}
"""Variants that are more than a conversion of the trained generator."""

_CONVERTED = {
    "float32": "Written as .tflite in float32.",
    "float16": "Written as .tflite with weights in float16.",
    "dynamic-range": "Written as .tflite with weights in int8, computed in float32.",
    "int8-ptq": "Rounded to int8 after the training (post-training quantization).",
    "pruned-float32": "Written as .tflite in float32.",
    "int8-qat": "Written as .tflite, all int8: no operation computes in float.",
    "int8": "Written as .tflite, all int8: no operation computes in float.",
    "int16x8": "Rounded to int8 weights and int16 activations after the training.",
}


def _train(settings: Settings, _: str) -> str:
    generator, game = settings["generator"], settings["train"]
    kind = "class-conditional " if generator["conditional"] else ""
    return (
        f"A {kind}GAN ({generator['name']}, width {generator['width']}, latent "
        f"{generator['latent']}) was trained for {game['steps']:,} steps of {game['batch']} "
        f"pictures, loss {game['loss']}. The moving average of its generator is the teacher."
    )


def _prune(settings: Settings, _: str) -> str:
    prune = settings["prune"]
    return (
        f"Weights were set to zero while the game went on ({prune['steps']:,} steps, up to "
        f"{prune['sparsity']:.0%} of a kernel)."
    )


def _quantize(settings: Settings, _: str) -> str:
    return (
        "Batch norm was folded into the kernels, and the generator was fine-tuned with int8 "
        f"rounding inside the game ({settings['quantize']['steps']:,} steps)."
    )


def _convert(_: Settings, variant: str) -> str:
    return _CONVERTED[variant]


_TELL: Mapping[str, Callable[[Settings, str], str]] = {
    "train": _train,
    "prune": _prune,
    "quantize": _quantize,
    "convert": _convert,
}
