"""How a variant was made, in a sentence a stage, from the records of the stages."""

from collections.abc import Callable, Mapping

from pipeline.artifacts import read_bits
from pipeline.data.sources import TEACHER
from pipeline.finished_run import FinishedRun
from pipeline.plans import FROM_TEACHER
from pipeline.stage import Record


def steps(run: FinishedRun, variant: str) -> tuple[str, ...]:
    """The sentences of the stages that this variant went through, in order."""
    return tuple(
        _SENTENCES[stage](run, run.records[stage], variant)
        for stage in (*_stages(run, variant), "convert")
        if stage in run.records
    )


def _stages(run: FinishedRun, variant: str) -> tuple[str, ...]:
    if run.plan is FROM_TEACHER:
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
    generator, training = record.settings["generator"], record.settings["train"]
    kind = "class-conditional " if generator["conditional"] else ""
    return (
        f"A {kind}GAN ({generator['name']}, width {generator['width']}, latent "
        f"{generator['latent']}) was trained for {training['steps']:,} steps of "
        f"{training['batch']} pictures, loss {training['loss']}. The moving average of its "
        "generator is the teacher."
    )


def _prune(_: FinishedRun, record: Record, variant: str) -> str:
    prune = record.settings["prune"]
    return (
        f"Weights were set to zero while the training went on ({prune['steps']:,} steps, up to "
        f"{prune['sparsity']:.0%} of a kernel)."
    )


def _teacher(run: FinishedRun, record: Record, variant: str) -> str:
    pictures = record.metrics["lessons"]
    sentence = (
        f"The teacher is a generator that was trained before ({record.metrics['origin']}, "
        f"{record.metrics['generator_parameters']:,} parameters)."
    )
    if variant in _COMPRESSED:
        sentence += f" It drew {pictures:,} pictures for its student to learn from."
    if run.source == TEACHER:
        sentence += (
            " No real pictures were used: the figures below compare with pictures of the teacher."
        )
    return sentence


def _search(_: FinishedRun, record: Record, variant: str) -> str:
    return str(record.metrics["reason"])


def _student(_: FinishedRun, record: Record, variant: str) -> str:
    settings, zeros = record.settings["student"], record.metrics["zeros"]
    aim = (
        "was trained against a discriminator, with its teacher's pictures as a second aim"
        if settings["adversarial"]
        else "was trained on with its teacher's pictures as the only aim"
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
    bits = read_bits(run.stage("quantize"), variant)
    few, many = (
        f"{bits_of_layer:.2g}" for bits_of_layer in (min(bits.values()), max(bits.values()))
    )
    each = few if few == many else f"{few} to {many}"
    return (
        "Batch norm was folded into the kernels, and the generator was fine-tuned with int8 "
        f"rounding in the training ({record.settings['quantize']['steps']:,} steps), {each} bits "
        "a weight."
    )


def _convert(run: FinishedRun, record: Record, variant: str) -> str:
    return _CONVERTED[variant]


_SENTENCES: Mapping[str, Callable[[FinishedRun, Record, str], str]] = {
    "train": _train,
    "prune": _prune,
    "teacher": _teacher,
    "search": _search,
    "student": _student,
    "quantize": _quantize,
    "convert": _convert,
}
