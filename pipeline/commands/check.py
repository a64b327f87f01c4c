"""The command check."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.errors import PocketganError
from pipeline.commands.arguments import (
    BAD_INPUT,
    OK,
    command_parser,
    in_command,
    parse,
    refusal,
    show,
)
from pipeline.commands.starting_values import starting_recipe
from pipeline.consoles import console
from pipeline.finished_run import generator_of
from pipeline.native_log import native_log
from pipeline.recipe.sections import PictureSize, height_and_width
from pipeline.tensorflow_setup import load_tensorflow

if TYPE_CHECKING:  # a command that only shows its help starts without TensorFlow
    from pipeline.importers.layer_report import Check
    from pipeline.importers.missing import MissingFact
    from pipeline.importers.teacher import Teacher

SEED = 1
"""Of what is tried with a generator; what is trained has the recipe's."""

MORE = """: what happens to every layer, the bytes, MACs and slow operations of the generator as
it is, and whether it can be compressed. No training, a few seconds. Exit code 0 if it can be
compressed, 2 if not."""


def check(arguments: list[str]) -> int:
    parser = command_parser("check", "json", more=MORE)
    add_generator(parser)
    options = parse(parser, arguments)
    try:
        with native_log(Path(os.devnull)):
            result = _check(options)
            from pipeline.report.check import render
    except PocketganError as error:
        if not options.json:
            raise
        show(options, {"path": options.generator, **refusal("check", error)}, str)
        return BAD_INPUT
    show(options, result.as_dict(), lambda: render(result), console(highlight=False))
    return OK


def _check(options: Any) -> "Check":
    """What a run would do is tried, as ``compress`` tries it; then every layer is looked at."""
    load_tensorflow()
    from pipeline.importers import layer_report
    from pipeline.search.builder import SLIM, StudentBuilder
    from pipeline.search.dry_run import refused_blocks

    teacher = teacher_of(options)
    recipe = starting_recipe(latent=bool(teacher.latent))
    builder = StudentBuilder(teacher, recipe.seed, by_norm=True)
    refused = refused_blocks(recipe, builder, Path(options.generator))
    return layer_report.check(
        teacher,
        options.generator,
        why_not_slim=builder.why_not_slim or refused.get(SLIM, ""),
        why_not_built=builder.why_not_built,
    )


def add_generator(parser: Any) -> None:
    """Let a parser take a generator of any origin, and what its file does not say."""
    parser.add_argument("generator", type=str, help="a run's folder, a model file, or a SavedModel")
    parser = parser.add_argument_group("What the generator's file may not say")
    parser.add_argument(
        "--classes", type=int, help="how many entries at the end of the latents are a one-hot class"
    )
    for option, words in (
        ("--pixels", "draws, if its last layer does not say: -1 1"),
        ("--input-pixels", "reads, if it reads pictures"),
    ):
        words = f"black and white in the pictures it {words}"
        parser.add_argument(option, type=float, nargs=2, metavar=("LOW", "HIGH"), help=words)
    parser.add_argument(
        "--input-size",
        type=PictureSize,
        metavar="WIDTHxHEIGHT",
        help="size of the pictures it reads, if it takes any: 256x256",
    )
    parser.add_argument(
        "--input",
        action="append",
        metavar="NAME=WHAT",
        help="what goes into the input of that name: latent, picture, mask, known (a "
        "mask that is 1 where the picture is not hidden), class:10, or numbers",
    )
    parser.add_argument(
        "--signature", type=str, metavar="NAME", help="which network of its file draws, of several"
    )
    parser.add_argument(
        "--output", type=str, metavar="NAME", help="which output is the picture, of several"
    )
    parser.add_argument(
        "--on-white", action="store_true", help="what it draws with alpha is laid on white"
    )
    parser.add_argument(
        "--custom",
        type=str,
        metavar="FILE",
        help="a Python file of yours that defines the generator's own layers; it is run",
    )
    parser.add_argument(
        "--allow-unsafe",
        action="store_true",
        help="load a file that runs code, such as Lambda layers: it may do anything that you may",
    )


def teacher_of(
    options: Any, further: Callable[["Teacher"], list["MissingFact"]] = lambda _: []
) -> "Teacher":
    """The generator that ``add_generator``'s arguments name.

    ``further`` says what else the command needs for it. PocketganError where it is none, or draws
    what cannot be compressed; and where something is missing, with the command that has it all.
    """
    from pipeline.determinism import prepare
    from pipeline.importers.input_pictures import channel_facts
    from pipeline.importers.input_roles import read_roles
    from pipeline.importers.missing import MissingFactsError
    from pipeline.importers.teacher import load_teacher

    source = generator_of(Path(options.generator))
    is_run = source.file != source.path

    def missing_facts(teacher: "Teacher") -> list["MissingFact"]:
        return [*([] if is_run else channel_facts(teacher)), *further(teacher)]

    prepare(SEED)  # as before every stage: what is let through here is let through there
    try:
        teacher = load_teacher(
            source,
            classes=options.classes,
            pixels=options.pixels and tuple(options.pixels),
            input_pixels=options.input_pixels and tuple(options.input_pixels),
            input_size=options.input_size and height_and_width(options.input_size),
            inputs=read_roles(options.input or ()),
            signature=options.signature,
            output=options.output,
            on_white=options.on_white,
            custom=Path(options.custom) if options.custom else None,
            allow_unsafe=options.allow_unsafe,
        )
        missing = MissingFactsError(Path(options.generator), missing_facts(teacher))
    except MissingFactsError as error:
        more = [] if error.teacher is None else missing_facts(error.teacher)
        missing = MissingFactsError(Path(options.generator), [*error.missing, *more])
    if missing.missing:
        raise PocketganError(missing.problem, in_command(options, missing.options))
    return teacher
