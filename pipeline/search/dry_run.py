"""What a run does with a generator, once and small, so that nothing is refused after a training.

`check` and `compress` both ask here, and what is said here is what both of them say.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from deploy.errors import PocketganError, one_line
from deploy.targets.vela import cpu_operations
from pipeline import guard, progress
from pipeline.arrays import Images
from pipeline.compression.bits import layer_bits
from pipeline.compression.fake_quantization import quantization_aware, round_biases
from pipeline.compression.fold import fold_batch_norm
from pipeline.compression.spec import CompressionSpec
from pipeline.graphs import as_it_stands
from pipeline.importers.loaded import alike
from pipeline.importers.saved_teacher import read_saved_teacher, save_teacher
from pipeline.importers.teacher import Teacher
from pipeline.networks.registry import build_discriminator
from pipeline.networks.settings import ImageShape, StudentSettings
from pipeline.networks.translators import ONE_SCALE
from pipeline.recipe.sections import Recipe
from pipeline.search.builder import SLIM, StudentBuilder
from pipeline.search.flash import compiler_of
from pipeline.search.pairs import drawn_pairs, refuse_alike
from pipeline.search.space import Space, space_of
from pipeline.tflite.convert import to_int8_student
from pipeline.tflite.count import refuse_float
from pipeline.tflite.read import read_model
from pipeline.tflite.runtime import draw
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.distiller import Distiller
from pipeline.variants import SHIPPED

TRIED, COMPARED = 4, 2
"""Inputs with which it is tried; of them those on which it is compared with itself."""
RATE = 1e-3
ALLOWED = 0.25
"""Mean difference of a student and its file, as a share of the range: more is another picture."""
_OTHER_LAYERS = "Save it as a functional or sequential model of Keras's own layers."


def without_refused(
    recipe: Recipe, builder: StudentBuilder, path: Path, pictures: Images | None
) -> Recipe:
    """The recipe, its search without ``refused_blocks``, which is printed. Raises as that does."""
    refused = refused_blocks(recipe, builder, path, pictures)
    for reason in refused.values():
        progress.console.print(f"search without {reason}")
    blocks = [block for block in recipe.search.blocks if block not in refused]
    return replace(recipe, search=replace(recipe.search, blocks=blocks))


def without_cpu_blocks(recipe: Recipe, space: Space, builder: StudentBuilder) -> Recipe:
    """The recipe, its search without blocks that the NPU whose flash is limited leaves to the CPU
    in part; ``space`` has the students. Each is printed; where no other would be left all stay.
    """
    compiler = compiler_of(recipe.budget)
    if compiler is None or recipe.search.student is not None:
        return recipe
    blocks = [block for block in space.blocks if block in recipe.search.blocks]
    inputs, left = builder.teacher.random_inputs(COMPARED), list[str]()
    for block in blocks:
        student = builder.build(space.narrowest(block))
        report = compiler.report(student, inputs, CompressionSpec(), trained=True)
        if report.on_cpu:
            words = "; ".join(cpu_operations(report))
            note = f"block {block} is not all on {recipe.budget.target}; on the CPU: {words}"
            progress.console.print(note)
        else:
            left.append(block)
    return replace(recipe, search=replace(recipe.search, blocks=left or blocks))


def refused_blocks(
    recipe: Recipe, builder: StudentBuilder, path: Path, pictures: Images | None = None
) -> dict[str, str]:
    """Blocks of the search of which no student can be made → why.

    ``path`` names the generator in errors; ``pictures`` uint8 [N, H, W, C] are some that it is
    going to read, noise if there are none. Raises PocketganError where no block is left, and for
    what no run could be finished with: a generator that cannot be stored, draws what is no number,
    or always draws the same picture.
    """
    teacher = _stored(builder.teacher, path)
    pairs = _some_pairs(teacher, pictures)
    if teacher.latent and recipe.teacher.discriminator is None:
        height, width, channels = builder.picture_shape
        image = ImageShape(height, channels, teacher.classes, width)
        build_discriminator(recipe.discriminator, image)
    if builder.why_not_slim and (problem := builder.why_not_built):
        raise PocketganError(f"{path}: {problem}", ONE_SCALE)
    space = space_of(recipe.search, recipe.budget, builder)
    trial = _Trial(
        builder=builder, bits=min(space.bits), pairs=pairs, batch=recipe.convert.batch, path=path
    )
    refused: dict[str, str] = {}
    students = _smallest_students(recipe, space)
    is_cut = False
    for student in students:
        # What is built for it is layers of ours: where one that is cut out of it can be made, it
        # is enough that they fit together.
        problem = trial.why_not_built(student) if is_cut else trial.why_not(student)
        if problem:
            refused[student.block] = problem
        elif student.block == SLIM:
            is_cut = True
        else:
            break
    if len(refused) == len(students):
        raise PocketganError(
            f"{path}: no student of it can be made: {'; '.join(refused.values())}.", _OTHER_LAYERS
        )
    return refused


def _smallest_students(recipe: Recipe, space: Space) -> list[StudentSettings]:
    """One of each block; that which is cut out of the generator first."""
    if recipe.search.student is not None:
        return [recipe.search.student]
    blocks = sorted(space.blocks, key=lambda block: block != SLIM)
    return [space.narrowest(block) for block in blocks]


def _stored(teacher: Teacher, path: Path) -> Teacher:
    """The teacher as its stage will leave it, and those after it will find it."""
    inputs = teacher.random_inputs(COMPARED)
    with guard.step("stored", path, _OTHER_LAYERS), TemporaryDirectory() as folder:
        try:
            save_teacher(teacher, Path(folder))
        except Exception as error:  # whatever Keras says of a foreign layer
            raise PocketganError(
                f"{path} cannot be stored: {type(error).__name__}: {one_line(error, 200)}",
                _OTHER_LAYERS,
            ) from error
        stored = read_saved_teacher(Path(folder))
        pictures, again = (one.model(inputs, training=False).numpy() for one in (teacher, stored))
    if not alike(pictures, again):
        raise PocketganError(f"{path} draws otherwise after it was stored.", _OTHER_LAYERS)
    return stored


def _some_pairs(teacher: Teacher, pictures: Images | None) -> DistillationSet:
    """Some inputs, and what is drawn of them. Of noise pictures may well be alike."""
    if teacher.latent:
        inputs = teacher.random_inputs(TRIED)
    elif pictures is not None:
        inputs = pictures[:: max(1, len(pictures) // TRIED)][:TRIED]
    else:
        shape = (TRIED, *teacher.model.input_shape[1:])
        inputs = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    pairs = drawn_pairs(teacher, inputs)
    if teacher.latent or pictures is not None:
        refuse_alike(teacher, pairs)
    return pairs


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """What the students of a generator are tried with."""

    builder: StudentBuilder
    bits: int
    pairs: DistillationSet
    batch: int
    """Pictures that a file draws at once."""
    path: Path

    def why_not(self, settings: StudentSettings) -> str:
        """Why no such student can be made, in words; empty where one was."""
        name = f"block {settings.block}"
        remedy = f"Leave {settings.block} out: --search.blocks takes a list such as [sub_pixel]."
        try:
            with guard.step(f"tried with a student of {name}", self.path, remedy):
                self._make(settings)
        except PocketganError as error:
            return f"{name}: {error.problem.rstrip('.')}"
        except Exception as error:  # whatever TensorFlow says of a layer that was not made for it
            return f"{name}: {type(error).__name__}: {one_line(error, 200)}"
        return ""

    def why_not_built(self, settings: StudentSettings) -> str:
        """Why no such network fits the generator, in words; empty where one does."""
        try:
            self.builder.build(settings)
        except PocketganError as error:
            return f"block {settings.block}: {error.problem.rstrip('.')}"
        return ""

    @as_it_stands
    def _make(self, settings: StudentSettings) -> None:
        """A step of training, rounding, a file that draws as the student does."""
        student, pixels = self.builder.build(settings), self.builder.pixels(settings)
        spec = CompressionSpec(self.bits)
        distiller = Distiller(
            student, self.pairs, pixels=pixels, steps=1, rate=RATE, batch=TRIED, seed=0, spec=spec
        )
        distiller.train(1)
        folded, inputs = fold_batch_norm(student), self.pairs.readable()
        aware = quantization_aware(folded, inputs, layer_bits(folded, self.bits, {}))
        round_biases(aware)
        content = to_int8_student(aware, self.batch, signed=False)
        refuse_float(read_model(content), SHIPPED)
        inputs = inputs.repeat(self.batch, axis=0)
        low, high = pixels
        apart = draw(content, inputs) - aware(inputs, training=False).numpy()
        if not np.mean(np.abs(apart)) <= ALLOWED * (high - low):  # NaN is not
            raise PocketganError("its int8 file draws other pictures.", "Report this.")
