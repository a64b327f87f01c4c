"""Find the student that fits the budget: many are tried for a little while."""

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial

from pipeline import progress
from pipeline.artifacts import CHOICE, PAIRS, STUDY, read_distillation_set
from pipeline.compression.spec import CompressionSpec
from pipeline.determinism import prepare
from pipeline.importers.facts import read_facts
from pipeline.importers.saved_teacher import read_saved_teacher
from pipeline.networks.settings import StudentSettings
from pipeline.recipe.sections import Recipe
from pipeline.search import budget, candidates, study, trials, work
from pipeline.search.budget import FileCost
from pipeline.search.builder import SLIM
from pipeline.search.candidates import Candidate, Choice, ScoreKind
from pipeline.search.distributed import results, title
from pipeline.search.sent_files import send
from pipeline.search.space import Space
from pipeline.search.storage import open_storage
from pipeline.search.work_study import StudyFacts, WorkStudy
from pipeline.stage import Outcome, StageContext, package_versions, stage
from pipeline.stages.evaluate import find_judge
from pipeline.stages.prospects import prospect
from pipeline.stages.search_context import search_context, steps_of, students
from pipeline.stages.trial_files import pack
from pipeline.workers import Piece, Workers


@stage(
    "search",
    needs=("teacher",),
    settings=("data", "generator", "teacher", "evaluate", "budget", "search"),
    reads_pictures=True,
)
def search(ctx: StageContext) -> Outcome:
    """Write what was chosen and tried, and the study where it has no other place."""
    recipe, settings = ctx.recipe, ctx.recipe.search
    prepare(recipe.seed)
    builder, limits, space = students(recipe, read_saved_teacher(ctx.inputs["teacher"]))
    choice, events = (
        (_named_student(space, settings.student), [])
        if settings.student
        else _searched(ctx, limits, space)
    )
    CHOICE.write(choice, ctx.folder)
    if SLIM in settings.blocks and not builder.groups:
        events = [*events, f"slim left out: {builder.why_not_slim}"]
    return Outcome(
        {
            "chosen": choice.chosen.description,
            "reason": choice.reason,
            "tried": len(choice.candidates),
            "expected": asdict(choice.chosen.cost),
        },
        events,
    )


def _named_student(space: Space, student: StudentSettings) -> Choice:
    """The student that the recipe names, untrained."""
    spec = CompressionSpec(min(space.bits))
    candidate = Candidate(
        number=0,
        student=student,
        bits=spec.bits,
        zeros=0.0,
        cost=space.cost_of(student, spec),
        steps=0,
        score=0.0,
        finished=True,
    )
    return candidates.choose([candidate], smallest=False)


def _progress(trained: Sequence[Candidate], kind: ScoreKind, words: str) -> str:
    """For the progress display: the best student yet, and the one that is being tried."""
    front = candidates.front(trained)
    if not front:
        return f"search: {words}"
    best = front[-1]
    score = kind.text(best.score)
    return f"search, best {score} at {best.cost.bytes_gzip / 1000:.1f} kB: {words}"


def _searched(ctx: StageContext, limits: budget.Budget, space: Space) -> tuple[Choice, list[str]]:
    """The choice, and what more time would bring."""
    settings = ctx.recipe.search
    kind = ScoreKind.FRECHET if space.latent else ScoreKind.PIXELS
    journal = ctx.scratch / STUDY
    opened = study.open_study(settings.study or journal, ctx.recipe.seed)
    with progress.bar() as bar:
        task, ended, doing = bar.add_task("search", total=settings.trials), 0.0, ""

        def tell(done: float, words: str) -> None:
            nonlocal ended, doing
            ended, doing = done, _progress(study.candidates_of(opened), kind, words)
            bar.update(task, completed=done, description=doing)

        def tell_share(share: float) -> None:
            bar.update(task, completed=ended + share)

        def tell_workers(count: int) -> None:
            workers = f"{count or 'no'} worker{'s' * (count != 1)}"
            bar.update(task, description=f"{doing} ({workers} at it)")

        def candidates_by(run: study.RunTrials) -> list[Candidate]:
            return study.Search(
                study=opened,
                space=space,
                budget=limits,
                seed=ctx.recipe.seed,
                trials=settings.trials,
                run=run,
                alone=settings.study is None,
                on_progress=tell,
            ).candidates()

        with _in_storage(ctx, tell_workers) if ctx.storage else _here(ctx, tell_share) as run:
            trained = candidates_by(run)
    if journal.exists():
        shutil.copyfile(journal, ctx.folder / STUDY)
    finite = [one for one in trained if math.isfinite(one.score)]
    choice = candidates.choose(finite, smallest=_smallest(ctx.recipe), kind=kind)
    batch = trials.distillation_batch(read_distillation_set(ctx.inputs["teacher"], PAIRS))
    return choice, prospects(ctx.recipe, choice, partial(steps_of, ctx.recipe, batch=batch))


@contextmanager
def _here(ctx: StageContext, on_share: Callable[[float], None]) -> Iterator[study.RunTrials]:
    """Trials in workers of this machine."""
    if read_facts(ctx.inputs["teacher"])["latent"]:
        find_judge(ctx)  # trained once, here: the workers find it
    shared = partial(search_context, ctx)
    with Workers(ctx.workers, threads=trials.THREADS, shared=shared) as workers:
        yield partial(_side_by_side, workers, on_share)


@contextmanager
def _in_storage(ctx: StageContext, on_look: Callable[[int], None]) -> Iterator[study.RunTrials]:
    """Trials in workers of whatever machine, who find them in the context's storage."""
    assert ctx.storage is not None
    address, versions = ctx.storage.address, package_versions()
    files = send(pack(ctx), ctx.storage.artifacts or str(ctx.scratch))
    digest = hashlib.sha256(f"{files.sha256} {json.dumps(versions)}".encode()).hexdigest()
    shared = WorkStudy.begin(
        open_storage(address),
        f"{ctx.recipe.name}-{digest[:8]}",
        address=address,
        facts=StudyFacts(versions=versions, files=files),
    )
    yield partial(results, shared, on_look=on_look)
    shared.end()


def _side_by_side(
    workers: Workers[trials.SearchContext],
    on_share: Callable[[float], None],
    due: Sequence[trials.TrialWork],
) -> Iterator[tuple[trials.TrialWork, trials.TrialScore | None]]:
    """Trials in the workers, each with its score as it ends.

    ``on_share`` is called with how many trials those amount to that are at work.
    """
    ended = 0
    pieces = [Piece(title(one), partial(trials.reach_rung, work=one)) for one in due]

    def tell(done: float) -> None:
        on_share((done - ended) * study.SHARE_OF_WORK[due[0].rung])

    for number, score in workers.results(pieces, tell):
        ended += 1
        yield due[number], score


def _smallest(recipe: Recipe) -> bool:
    """Whether the smallest student that is nearly as good as the best one is wanted."""
    return recipe.budget.max_quality_drop is not None


def prospects(recipe: Recipe, choice: Choice, steps_of: Callable[[FileCost], int]) -> list[str]:
    """What the second half of the trials brought, which says what more would bring.

    ``steps_of``: the updates that a student of that cost has time for.
    """
    tried = choice.candidates
    if len(tried) < 2:
        return []
    limits, trials_asked = recipe.budget, recipe.search.trials
    wanted = work.wanted_steps(recipe.search.steps, limits)
    whole = sum(steps_of(one.cost) >= wanted for one in tried)
    minutes = "" if limits.minutes is None else f", {whole} with time for all {wanted:,} steps"
    double = "" if limits.minutes is None else f" --minutes {2 * limits.minutes:g}"

    def rating(some: Sequence[Candidate]) -> str:
        one = candidates.choose(some, smallest=_smallest(recipe), kind=choice.score_kind).chosen
        size = f" at {one.cost.bytes_gzip / 1000:.1f} kB" if _smallest(recipe) else ""
        return f"{choice.score_kind.text(one.score)}{size}"

    return [
        prospect(
            f"search ({max(trials_asked, len(tried))} students tried, {len(tried)} within the "
            f"budget{minutes})",
            half=rating(tried[: len(tried) // 2]),
            work="them",
            end=rating(tried),
            more=f"--search.trials {2 * trials_asked}{double}",
        )
    ]
