"""How a variant was made, in a sentence a stage, from the records of the stages."""

import json
from collections.abc import Callable, Mapping

from pipeline.data.sources import TEACHER
from pipeline.finished_run import FinishedRun
from pipeline.stage import Record


def steps(run: FinishedRun, variant: str) -> tuple[str, ...]:
    """The sentences of the stages that this variant went through, in order."""
    told = []
    for stage in (*_stages(run, variant), "convert"):
        if stage in run.records:
            told.append(_TELL[stage](run, run.records[stage], variant))
    return tuple(told)


def _stages(run: FinishedRun, variant: str) -> tuple[str, ...]:
    if "teacher" in run.plan.names:
        return _COMPRESSED.get(variant, ("teacher",))
    return _TRAINED.get(variant, ("train",))


_TRAINED = {
    "pruned-float32": ("train", "prune"),
    "int8-qat": ("train", "quantize"),
    "int8": ("train", "prune", "quantize"),
}
"""Variants that are more than a conversion of the trained generator."""

_COMPRESSED = {
    "student-float32": ("teacher", "search", "student"),
    "int8": ("teacher", "search", "student", "quantize"),
}
"""Variants that are more than a conversion of the generator that was given."""

_CONVERTED = {
    "float32": "Written as .tflite in float32.",
    "float16": "Written as .tflite with weights in float16.",
    "dynamic-range": "Written as .tflite with weights in int8, computed in float32.",
    "int8-ptq": "Rounded to int8 after the training (post-training quantization).",
    "pruned-float32": "Written as .tflite in float32.",
    "student-float32": "Written as .tflite in float32.",
    "int8-qat": "Written as .tflite, all int8: no operation computes in float.",
    "int8": "Written as .tflite, all int8: no operation computes in float.",
    "int16x8": "Rounded to int8 weights and int16 activations after the training.",
}


def _train(_: FinishedRun, record: Record, variant: str) -> str:
    generator, game = record.settings["generator"], record.settings["train"]
    kind = "class-conditional " if generator["conditional"] else ""
    return (
        f"A {kind}GAN ({generator['name']}, width {generator['width']}, latent "
        f"{generator['latent']}) was trained for {game['steps']:,} steps of {game['batch']} "
        f"pictures, loss {game['loss']}. The moving average of its generator is the teacher."
    )


def _prune(_: FinishedRun, record: Record, variant: str) -> str:
    prune = record.settings["prune"]
    return (
        f"Weights were set to zero while the game went on ({prune['steps']:,} steps, up to "
        f"{prune['sparsity']:.0%} of a kernel)."
    )


def _teacher(run: FinishedRun, record: Record, variant: str) -> str:
    drawn = record.metrics["lessons"]
    told = (
        f"The teacher is a generator that was trained before ({record.metrics['origin']}, "
        f"{record.metrics['generator_parameters']:,} parameters)."
    )
    if variant in _COMPRESSED:
        told += f" It drew {drawn:,} pictures for its student to learn from."
    if run.source == TEACHER:
        told += (
            " No real pictures were used: the figures below compare with pictures of the teacher."
        )
    return told


def _search(_: FinishedRun, record: Record, variant: str) -> str:
    return str(record.metrics["reason"])


def _student(_: FinishedRun, record: Record, variant: str) -> str:
    settings, zeros = record.settings["student"], record.metrics["zeros"]
    aim = (
        "played the GAN game against a discriminator, with its teacher's pictures as a second aim"
        if settings["adversarial"]
        else "was taught in batches of the game with its teacher's pictures as the only aim"
    )
    copied = f"copied its teacher's pictures ({settings['imitate']:,} steps), then it "
    grown = f"; meanwhile {zeros:.0%} of its weights were set to zero" if zeros else ""
    smaller = len(record.metrics.get("attempts", ())) - 1
    failed = f" Smaller students that drew too badly: {smaller}." if smaller > 0 else ""
    return (
        f"The student ({record.metrics['student']}; {record.metrics['parameters']:,} parameters) "
        f"{copied if settings['imitate'] else ''}{aim} "
        f"({settings['steps']:,} steps){grown}.{failed}"
    )


def _quantize(run: FinishedRun, record: Record, variant: str) -> str:
    bits = json.loads((run.stage("quantize") / f"{variant}.bits.json").read_text())
    few, many = (f"{found:.2g}" for found in (min(bits.values()), max(bits.values())))
    each = few if few == many else f"{few} to {many}"
    return (
        "Batch norm was folded into the kernels, and the generator was fine-tuned with int8 "
        f"rounding inside the game ({record.settings['quantize']['steps']:,} steps), {each} bits "
        "a weight."
    )


def _convert(run: FinishedRun, record: Record, variant: str) -> str:
    return _CONVERTED[variant]


_TELL: Mapping[str, Callable[[FinishedRun, Record, str], str]] = {
    "train": _train,
    "prune": _prune,
    "teacher": _teacher,
    "search": _search,
    "student": _student,
    "quantize": _quantize,
    "convert": _convert,
}
