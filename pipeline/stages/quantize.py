"""Fold batch norm, round to int8 while the training goes on, with and without pruning."""

from dataclasses import replace
from functools import partial

from pipeline import progress
from pipeline.artifacts import (
    GENERATOR,
    folded_generator,
    load_network,
    write_quantized,
)
from pipeline.compression.bits import layer_bits
from pipeline.compression.fake_quantization import quantization_aware, round_biases, unrounded
from pipeline.compression.fold import fold_batch_norm
from pipeline.compression.prune import kernel_sparsity
from pipeline.determinism import prepare
from pipeline.stage import Outcome, StageContext, stage
from pipeline.stages import training
from pipeline.stages.inputs import generator_inputs
from pipeline.training.randomness import Purpose
from pipeline.workers import Piece, Workers

BASES = {"int8": "prune", "int8-qat": "train"}
"""Quantized variant → the stage whose generator it starts from."""


def _check_layers(ctx: StageContext) -> None:
    """PocketganError for a layer of the recipe that the generator does not have."""
    settings = ctx.recipe.quantize
    if settings.layers:
        layer_bits(training.build_networks(ctx).generator, settings.bits, settings.layers)


@stage(
    "quantize",
    needs=("train", "prune"),
    settings=(*training.ADVERSARIAL, "quantize"),
    reads_pictures=True,
    check=_check_layers,
)
def quantize(ctx: StageContext) -> Outcome:
    """For each quantized variant write its folded float start, its weights, history and film."""
    outcomes = _outcomes(ctx)
    return Outcome(
        {variant: outcome.metrics for variant, outcome in outcomes.items()},
        [f"{name}: {event}" for name, outcome in outcomes.items() for event in outcome.events],
    )


def _outcomes(ctx: StageContext) -> dict[str, Outcome]:
    """Variant → its outcome; both are trained side by side where there are cores for both."""
    threads = ctx.recipe.threads
    with Workers(ctx.workers, threads=threads, shared=partial(_itself, ctx)) as workers:
        if workers.count == 1:
            return {variant: _fine_tune(ctx, variant) for variant in BASES}
        pieces = [Piece(f"quantize {name}", partial(_fine_tune, variant=name)) for name in BASES]
        with progress.bar() as bar:
            task = bar.add_task(f"quantize {', '.join(BASES)}", total=len(pieces))
            outcomes = dict(workers.results(pieces, lambda done: bar.update(task, completed=done)))
    return {variant: outcomes[number] for number, variant in enumerate(BASES)}


def _itself(ctx: StageContext) -> StageContext:
    return ctx


def _fine_tune(ctx: StageContext, variant: str) -> Outcome:
    settings = ctx.recipe.quantize
    prepare(ctx.recipe.seed)
    networks = training.TrainedNetworks.load(ctx, BASES[variant])
    start = fold_batch_norm(networks.generator)
    start.save(folded_generator(ctx.folder, variant))
    calibration = generator_inputs(ctx, Purpose.CALIBRATION, settings.calibration)
    bits = layer_bits(start, settings.bits, settings.layers)
    aware = quantization_aware(start, calibration, bits)
    trainer = training.trainer(
        ctx,
        replace(networks, generator=aware),
        settings=training.fine_tuning(ctx, settings.steps, settings.rate, settings.ema),
        teacher=fold_batch_norm(load_network(ctx.inputs["train"] / GENERATOR)),
        distill=settings.distill,
    )
    history = training.train_and_log(
        ctx, trainer, description=f"quantize {variant}", variant=variant
    )
    round_biases(aware)
    write_quantized(aware, bits, ctx.folder, variant)
    sparsity = round(kernel_sparsity(unrounded(aware, start)), 6)
    figures = {"zeros": sparsity, "distill": settings.distill, **trainer.objective.figures()}
    return Outcome(figures, history.events)
