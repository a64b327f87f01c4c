"""What a generator's inputs do not say of themselves, with a guess for each."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from deploy.errors import PocketganError, printable
from pipeline.importers.input_roles import InputKind, InputRole, role_option
from pipeline.importers.missing import MissingFact, StatedFacts
from pipeline.importers.model_input import ModelInput, is_number_like, not_fixed

SIZE = (256, 256)
"""Height and width that are proposed where any will do."""
CLASSES = 10
"""Number of classes that is proposed where it is not known."""
_ONE_FOR_EACH = " (one for all of it, or one for each of its entries: 0,1,0 and so on)"


def number_fact(each: ModelInput) -> MissingFact:
    # Several numbers are mostly shares of a mixture, of styles for one: all of one.
    role = InputRole((InputKind.NUMBER,), values=(1.0, *[0.0] * (each.entries - 1)))
    more = _ONE_FOR_EACH if each.entries > 1 else ""
    if each.has_batch:
        some_class = role_option(each.name, InputRole((InputKind.CLASS,), classes=CLASSES))
        latents = role_option(each.name, InputRole((InputKind.LATENT,)))
        is_row = f"; if it is another latent: {latents}" if each.shape else ""
        more = f" (if it is a class: {some_class}{is_row})"
    return MissingFact(
        problem=f"what number goes into its input '{printable(each.name)}' "
        f"{each.shape_words} is not known{more}",
        option=role_option(each.name, role),
        guess={"inputs": {each.name: role}},
    )


def class_facts(
    path: Path,
    inputs: Sequence[ModelInput],
    roles: list[InputRole | None],
    facts: StatedFacts,
) -> list[MissingFact]:
    """Set how many classes there are, in place; what is missing of that."""
    for index, (each, role) in enumerate(zip(inputs, roles, strict=True)):
        if role is None or role.kind is not InputKind.CLASS:
            continue
        count = each.embedding_rows if is_number_like(each) else each.shape[-1]
        stated = role.classes or facts.classes
        if count is None and stated is None:
            return [
                MissingFact(
                    problem="it reads a class as a number, and does not say how many there are",
                    option=f"--classes {CLASSES}",
                    guess={"classes": CLASSES},
                )
            ]
        if stated and count and (stated > count or (stated != count and not is_number_like(each))):
            raise PocketganError(f"{path} knows {count} classes, not {stated}.", "Mend --classes.")
        roles[index] = replace(role, classes=int(stated or count or 0))
    return []


def size_facts(
    inputs: Sequence[ModelInput], roles: Sequence[InputRole | None]
) -> list[MissingFact]:
    """What is missing where pictures may have any size."""
    for each, role in zip(inputs, roles, strict=True):
        is_map = role is not None and role.kind in (InputKind.PICTURE, InputKind.MASK)
        if is_map and None in each.shape[:2] and None not in each.shape[2:]:
            return [size_fact(each)]
    return []


def size_fact(each: ModelInput) -> MissingFact:
    """At which size pictures are read that may have any."""
    sides = zip(each.shape[:2], SIZE, strict=True)
    height, width = (own if own is not None else wanted for own, wanted in sides)
    return MissingFact(
        problem=f"the shape of its input '{printable(each.name)}' is not fixed: "
        f"{each.shape_words}, and at which size, width x height, is not known",
        option=f"--input-size {width}x{height}",
        guess={"input_size": (height, width)},
    )


def size_for(fact: MissingFact, scale: int) -> MissingFact:
    """The same fact, a smaller size proposed for a generator that draws ``scale`` times as large.

    So that what it draws has about the size that is proposed to others; facts of others as they
    are.
    """
    if scale < 2 or "input_size" not in fact.guess:
        return fact
    part = 2 ** math.ceil(math.log2(scale))
    sides = zip(fact.guess["input_size"], SIZE, strict=True)
    height, width = (side // part if side == free else side for side, free in sides)
    option = f"--input-size {width}x{height}"
    return replace(fact, option=option, guess={"input_size": (height, width)})


def mixture_facts(
    inputs: Sequence[ModelInput], roles: Sequence[InputRole | None]
) -> list[MissingFact]:
    """Latents beside a picture: a student of pictures reads none."""
    kinds = {role.kind for role in roles if role is not None}
    if InputKind.PICTURE not in kinds:
        return []
    role = InputRole((InputKind.NUMBER,), values=(0.0,))
    return [
        MissingFact(
            problem=f"it reads latents '{printable(each.name)}' {each.shape_words} beside a "
            "picture, where a student reads the picture only: they have to be fixed (if they are a "
            f"class: {role_option(each.name, InputRole((InputKind.CLASS,)))})",
            option=role_option(each.name, role),
            guess={"inputs": {each.name: role}},
        )
        for each, one in zip(inputs, roles, strict=True)
        if one is not None and one.kind is InputKind.LATENT
    ]


def refuse_free(path: Path, inputs: Sequence[ModelInput]) -> None:
    """PocketganError for a length that is not fixed and that no option fixes."""
    for each in inputs:
        if None in each.shape:
            raise PocketganError(
                not_fixed(path, each),
                "Build it with a fixed shape, for instance keras.Input((100,)), load its weights, "
                "and save that.",
            )
