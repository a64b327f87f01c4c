"""What trials of a search read of its run, in one file: for workers on other machines.

A zip without dates, so that the same search has the same bytes. Whoever reads one has checked its
hash, loads no pickle, and refuses a network that would run code or touch files.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from deploy.errors import PocketganError, one_line, printable
from pipeline.artifacts import PAIRS, REFERENCE, read_distillation_set
from pipeline.atomic import write_bytes
from pipeline.importers.facts import FACTS, read_facts
from pipeline.importers.formats import Format
from pipeline.importers.keras_files import open_file, refuse_unsafe
from pipeline.importers.saved_models import refuse_unsafe_graph
from pipeline.importers.saved_teacher import GRAPH, MODEL, PROGRAM, read_saved_teacher
from pipeline.metrics.imagenet import ImageNetJudge
from pipeline.metrics.judge import Judge
from pipeline.metrics.stacked import ChannelFeatures, StackedJudge
from pipeline.recipe.reading import load_recipe
from pipeline.search.latency import Latency
from pipeline.search.scorers import PictureFeatures, Scorer, frechet_scorer
from pipeline.search.space import latency_of
from pipeline.search.trials import SearchContext
from pipeline.stage import StageContext
from pipeline.stages.evaluate import find_judge
from pipeline.stages.inputs import generator_inputs
from pipeline.stages.search_context import context_of, scorer_by_pixels
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.randomness import Purpose

SETTINGS, LATENCY = "settings.json", "latency.json"
LATENTS, TRAINED, STACKED = "latents.npy", "judge.npz", "channel-judge.npz"
"""By which a student of latents is scored: two files, or the first and the published network."""
_OF_TEACHER = (FACTS, MODEL, GRAPH, PROGRAM, PAIRS, REFERENCE)
_FILES = {*_OF_TEACHER, SETTINGS, LATENCY, LATENTS, TRAINED, STACKED}
_DECIDING = ("seed", "budget", "search")
"""Of a recipe, on a trial."""


def pack(ctx: StageContext) -> bytes:
    """The file, of the context of the stage search."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _members(ctx):
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _members(ctx: StageContext) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file that it holds."""
    folder, settings = ctx.inputs["teacher"], ctx.declared_settings()
    deciding = {name: settings[name] for name in _DECIDING}
    deciding["search"] = {**deciding["search"], "study": None}
    yield SETTINGS, json.dumps({"name": ctx.recipe.name, **deciding}, indent=1).encode()
    latency = latency_of(ctx.recipe.budget)
    if latency is not None:
        yield LATENCY, latency.model_dump_json().encode()
    for name in _OF_TEACHER:
        if (folder / name).is_file():
            yield name, (folder / name).read_bytes()
    if read_facts(folder)["latent"]:
        yield from _scoring(ctx)


def _scoring(ctx: StageContext) -> Iterator[tuple[str, bytes]]:
    """By what a student of latents is scored."""
    judge = find_judge(ctx)
    latents = io.BytesIO()
    np.save(latents, generator_inputs(ctx, Purpose.SEARCH, judge.enough))
    yield LATENTS, latents.getvalue()
    if isinstance(judge, ImageNetJudge):
        return
    name, trained = (STACKED, judge.judge) if isinstance(judge, StackedJudge) else (TRAINED, judge)
    aside = ctx.scratch / name
    trained.save(aside)
    yield name, aside.read_bytes()
    aside.unlink()


def unpack(content: bytes, folder: Path) -> None:
    """Lay what ``pack`` gave into an empty folder.

    Raises PocketganError where it is none, or holds a network that would run code or touch files.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            foreign = sorted(set(archive.namelist()) - _FILES)
            if foreign:
                raise ValueError(f"{printable(foreign[0])} does not belong there")
            for name in archive.namelist():
                write_bytes(folder / name, archive.read(name))
    except Exception as error:  # whatever a damaged archive makes its reader raise
        raise PocketganError(
            f"what the trials of the search read cannot be read: {one_line(error, 200)}.",
            "Was it written by another version? Install the same one here as there.",
        ) from error
    _refuse_unsafe(folder)


def _refuse_unsafe(folder: Path) -> None:
    if (folder / MODEL).is_file():
        refuse_unsafe(folder / MODEL, open_file(folder / MODEL, Format.KERAS).config)
    if (folder / GRAPH).is_file():
        refuse_unsafe_graph(folder / GRAPH)


def read_trial_files(folder: Path, checkpoints: Path) -> SearchContext:
    """What the trials share, of a folder that ``unpack`` filled."""
    recipe = load_recipe(json.loads((folder / SETTINGS).read_text(encoding="utf-8")))
    teacher = read_saved_teacher(folder)
    pairs = read_distillation_set(folder, PAIRS)
    latency = folder / LATENCY
    return context_of(
        recipe,
        teacher,
        pairs=pairs,
        scorer=_scorer(folder, pairs) if teacher.latent else scorer_by_pixels(folder),
        checkpoints=checkpoints,
        latency=Latency.model_validate_json(latency.read_bytes()) if latency.is_file() else None,
    )


def _scorer(folder: Path, pairs: DistillationSet) -> Scorer:
    with (folder / LATENTS).open("rb") as file:
        latents = np.load(file, allow_pickle=False)
    return frechet_scorer(_judge(folder), pairs.pictures[: len(latents)], latents)


def _judge(folder: Path) -> PictureFeatures:
    if (folder / TRAINED).is_file():
        return Judge.load(folder / TRAINED)
    if (folder / STACKED).is_file():
        return ChannelFeatures(Judge.load(folder / STACKED))
    return ImageNetJudge()
