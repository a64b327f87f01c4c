"""What goes into the inputs of a generator, told by shape, type, name and use, or by a person."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from deploy.errors import PocketganError, printable
from pipeline.importers.input_roles import InputKind, InputRole, can_be, role_option, role_text
from pipeline.importers.missing import MissingFact, MissingFactsError, StatedFacts
from pipeline.importers.missing_inputs import (
    class_facts,
    mixture_facts,
    number_fact,
    size_facts,
)
from pipeline.importers.model_input import ModelInput, is_number_like, is_vector

_LABEL = re.compile(
    r"label|class|(^|[^a-z])cond|one_?hot|categor|(^|[^a-z])(cat|y)([^a-z]|$)", re.IGNORECASE
)
_LABEL_MAP = re.compile(rf"{_LABEL.pattern}|segm|semantic|parsing", re.IGNORECASE)
_LARGEST_LATENT = 16384
"""Entries; styles for each layer of a network for 1024 pixels are 18·512."""
_NUMBER = re.compile(
    r"training|is_?train|phase|strength|trunc|psi|alpha|intensity|temperature|guidance|scale|sigma"
    r"|weight|ratio|factor|level|dropout|keep_prob|time_?step|(^|[^a-z])t([^a-z]|$)",
    re.IGNORECASE,
)
_TRAINING = re.compile(r"training|is_?train|phase|dropout", re.IGNORECASE)
"""Names of the switch between training and drawing."""
_KNOWN = re.compile(
    r"(^|[^a-z])(?<!not.)(?<!non.)(known|valid(?!at)|visib(le|ility))", re.IGNORECASE
)
"""Names of a mask that is 1 where the picture is not hidden."""
_MASK = re.compile(rf"mask|(^|[^a-z])hole|matte|{_KNOWN.pattern}", re.IGNORECASE)
_LATENT = re.compile(
    r"latent|noise|seed|styles|w_?plus|(^|[^a-z])(z|ws?|code)([^a-z]|$)", re.IGNORECASE
)
_PICTURE_CHANNELS = (1, 2, 3, 4, 6)
_LATENT_ROLE, _CLASS_ROLE, _PICTURE_ROLE = (
    InputRole((kind,)) for kind in (InputKind.LATENT, InputKind.CLASS, InputKind.PICTURE)
)


def roles_of(path: Path, inputs: Sequence[ModelInput], facts: StatedFacts) -> list[InputRole]:
    """What goes into each of the inputs; ``path`` names the generator in errors.

    Raises PocketganError for a name that no input has and a role that its shape cannot have, and
    MissingFactsError for all that only a person can say.
    """
    roles: list[InputRole | None] = []
    for each in inputs:
        stated = facts.inputs.get(each.name)
        _refuse_text(path, each)
        if stated is not None:
            _refuse_role(path, each, stated)
        else:
            _refuse_map_of_classes(path, each)
        roles.append(stated or _role_by_signs(each))
    if len(inputs) == 1 and is_number_like(inputs[0]) and not inputs[0].shape:
        raise PocketganError(
            f"{path}: its only input '{printable(inputs[0].name)}' has one dimension, where the "
            "first is the batch: it reads one number for each picture, or one row of latents.",
            "Save it with a batch before its latents, for instance [None, 100].",
        )
    _tell_class(path, inputs, roles, facts)
    _tell_picture(inputs, roles, facts)
    missing = [number_fact(each) for each, role in zip(inputs, roles, strict=True) if role is None]
    missing += class_facts(path, inputs, roles, facts)
    missing += size_facts(inputs, roles)
    missing += mixture_facts(inputs, roles)
    if missing:
        raise MissingFactsError(path, missing)
    return [role for role in roles if role is not None]


def refuse_unknown(path: Path, names: Iterable[str], facts: StatedFacts) -> None:
    """PocketganError for an ``--input`` that the generator does not have."""
    have = list(names)
    for name in facts.inputs:
        if name not in have:
            raise PocketganError(
                f"{path} has no input '{printable(name)}'.",
                f"Its inputs are {', '.join(map(printable, have))}.",
            )


def free_numbers(
    path: Path, inputs: Sequence[ModelInput], facts: StatedFacts
) -> dict[str, tuple[float, ...]]:
    """Name → values of the inputs that are numbers already, stated or by their signs.

    PocketganError where an input cannot take what is stated.
    """
    values = {}
    for each in inputs:
        stated = facts.inputs.get(each.name)
        _refuse_text(path, each)
        if stated is not None:
            _refuse_role(path, each, stated)
        role = stated or _role_by_signs(each)
        if role is not None and role.kind is InputKind.NUMBER:
            values[each.name] = role.values
    return values


# ---------------------------------------------------------------------- by its own signs


def _role_by_signs(each: ModelInput) -> InputRole | None:
    """What one input takes, by its own signs; None where a person has to say its number.

    A vector is taken for latents: whether it is a class shows beside others only.
    """
    if is_number_like(each):
        return _role_of_number(each)
    if is_vector(each) or len(each.shape) not in (2, 3):
        return _LATENT_ROLE
    if len(each.shape) == 2:
        return _LATENT_ROLE if _LATENT.search(each.name) else _mask_role(each)
    if each.shape[-1] == 1 and (_MASK.search(each.name) or each.dtype == "bool"):
        return _mask_role(each)
    is_picture = each.shape[-1] in _PICTURE_CHANNELS and not _LATENT.search(each.name)
    return _PICTURE_ROLE if is_picture else _LATENT_ROLE


def _mask_role(each: ModelInput) -> InputRole:
    return InputRole((InputKind.MASK,), marks_known=bool(_KNOWN.search(each.name)))


def _role_of_number(each: ModelInput) -> InputRole | None:
    if each.dtype == "bool" or _TRAINING.search(each.name):
        return InputRole((InputKind.NUMBER,))
    is_label = each.embedding_rows is not None or _LABEL.search(each.name)
    is_whole = each.dtype.startswith(("int", "uint"))
    if each.has_batch and (is_label or (is_whole and not _NUMBER.search(each.name))):
        return _CLASS_ROLE
    is_code = each.has_batch and each.shape and not is_whole and _LATENT.search(each.name)
    return _LATENT_ROLE if is_code else None


def _refuse_text(path: Path, each: ModelInput) -> None:
    if each.dtype in ("string", "object"):
        raise PocketganError(
            f"{path}: its input '{printable(each.name)}' {each.shape_words} is text, or a file's "
            "bytes.",
            "Save it from behind what decodes them: with pictures [N, H, W, C] of numbers.",
        )


def _refuse_map_of_classes(path: Path, each: ModelInput) -> None:
    """PocketganError for what no student reads."""
    if len(each.shape) != 3 or each.shape[-1] in _PICTURE_CHANNELS or is_vector(each):
        return
    if _LABEL_MAP.search(each.name) or each.entries > _LARGEST_LATENT:
        raise PocketganError(
            f"{path}: its input '{printable(each.name)}' {each.shape_words} seems to be a map of "
            "classes, which students do not read: they read latents, pictures and masks.",
            "Put the layers before it that make this map of a picture whose colours are the "
            f"classes. If it is latents: {role_option(each.name, _LATENT_ROLE)}.",
        )


def _refuse_role(path: Path, each: ModelInput, role: InputRole) -> None:
    """PocketganError where an input of that shape cannot take what a person says."""
    shape, kind = each.shape, role.kind
    length = shape[-1] if shape else 0
    fits = {
        InputKind.NUMBER: len(role.values) in (1, each.entries),
        InputKind.LATENT: each.has_batch and shape != (),
        InputKind.CLASS: each.has_batch
        and (is_number_like(each) or (is_vector(each) and role.classes in (None, length))),
        InputKind.PICTURE: len(shape) == 3,
        InputKind.MASK: len(shape) == 2 or (len(shape) == 3 and length in (1, 3)),
    }[kind]
    if not fits:
        raise PocketganError(
            f"{path}: its input '{printable(each.name)}' {each.shape_words} cannot be "
            f"'{role_text(role)}'.",
            "A class is one number or one-hot, a mask has one channel or three alike, a picture a "
            "height, a width and channels; numbers are one for all of the input, or one for each "
            "of its entries.",
        )
    if kind is InputKind.PICTURE and len(role.kinds) > 1 and not can_be(role.kinds, length or 0):
        raise PocketganError(
            f"{path}: '{role_text(role)}' cannot be the {length} channels of its input "
            f"'{printable(each.name)}'.",
            "A picture has one channel or three, a mask one.",
        )


# ---------------------------------------------------------------------- beside each other


def _tell_class(
    path: Path,
    inputs: Sequence[ModelInput],
    roles: list[InputRole | None],
    facts: StatedFacts,
) -> None:
    """Set the role of a vector that is the class beside others, in place."""
    kinds = [role.kind for role in roles if role is not None]
    unsaid = [
        index
        for index, each in enumerate(inputs)
        if is_vector(each) and each.name not in facts.inputs
    ]
    vectors = [index for index, each in enumerate(inputs) if is_vector(each)]
    if InputKind.CLASS in kinds or not unsaid or len(inputs) < 2:
        return
    reads_pictures = bool({InputKind.PICTURE, InputKind.MASK} & set(kinds))
    signs: tuple[Callable[[ModelInput], bool], ...] = (
        lambda each: bool(facts.classes) and each.shape[-1] == facts.classes,
        lambda each: bool(_LABEL.search(each.name)),
    )
    for sign in signs:
        matching = [index for index in unsaid if sign(inputs[index])]
        if len(matching) == 1 and (len(vectors) > 1 or reads_pictures or _has_maps(inputs)):
            roles[matching[0]] = _CLASS_ROLE
            return
    if len(vectors) < 2 or all(_LATENT.search(inputs[index].name) for index in unsaid):
        return
    shortest = min(unsaid, key=lambda index: inputs[index].shape[-1] or 0)
    names = " and ".join(
        f"'{printable(inputs[index].name)}' {inputs[index].shape_words}" for index in vectors
    )
    raise MissingFactsError(
        path,
        [
            MissingFact(
                problem=f"it reads {names}, and which one is the class, if any, cannot be told",
                option=role_option(inputs[shortest].name, _CLASS_ROLE),
                guess={"inputs": {inputs[shortest].name: _CLASS_ROLE}},
            )
        ],
    )


def _has_maps(inputs: Sequence[ModelInput]) -> bool:
    return any(len(each.shape) == 3 for each in inputs)


def _tell_picture(
    inputs: Sequence[ModelInput], roles: list[InputRole | None], facts: StatedFacts
) -> None:
    """A map of one channel beside a picture in colour is its mask; in place.

    So is one of three that is called so: convolutions on what is not hidden have one each. A single
    input of one channel or three is a picture, whatever it is called.
    """
    maps = [i for i, each in enumerate(inputs) if len(each.shape) == 3 and not is_vector(each)]
    unsaid = [index for index in maps if inputs[index].name not in facts.inputs]
    if len(inputs) == 1 and unsaid and inputs[0].shape[-1] in (1, 3):
        roles[0] = _PICTURE_ROLE
    in_colour = [index for index in maps if inputs[index].shape[-1] == 3]
    for index in unsaid:
        each, others = inputs[index], [other for other in in_colour if other != index]
        is_mask = each.shape[-1] == 1 or (each.shape[-1] == 3 and _MASK.search(each.name))
        if others and is_mask and roles[index] == _PICTURE_ROLE:
            roles[index] = _mask_role(each)
