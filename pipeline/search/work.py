"""How many steps of training fit into the minutes that a student may take.

Reckoned from its multiply-accumulates, never measured: a recipe means the same on every machine.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from deploy.errors import PocketganError
from pipeline import guard
from pipeline.importers.teacher import Teacher
from pipeline.recipe.sections import BudgetSettings
from pipeline.search.cost import predict_cost
from pipeline.tflite.convert import to_float32
from pipeline.tflite.read import read_model
from pipeline.tflite.work import work as work_of_file

SPEED = 20.0e9
"""Multiply-accumulates of drawing, a second, while students for pictures are trained on two cores:
``python -m tools.experiments.training_speed``, see docs/decisions.md."""
OVERHEAD = 0.012
"""Seconds that a step takes besides."""
DRAWING_SPEED = 40.0e9
"""Multiply-accumulates a second where a teacher only draws: one of 354 million drew 7,232 pictures
in a minute, with other work beside it."""
HEAVY = 2.0e12
"""Multiply-accumulates of a teacher's drawing, in all, from which it draws in workers: a minute."""
USUAL_MINUTES = 15.0
"""The recipe's own numbers of steps are meant for so many."""
FEWEST_STEPS = 300
SEARCH, DISTILL, QUANTIZE, DRAW = 0.25, 0.4, 0.2, 0.1
"""Shares of the minutes; what is left is measuring."""

_UNCOUNTED = "Save it as a functional or sequential model of Keras's own layers."

StepsOf = Callable[[int, BudgetSettings], int]
"""Steps that are wanted, and the budget → those for which there is time."""


def affordable_steps(
    wanted: int, budget: BudgetSettings, *, macs: int, batch: int, share: float
) -> int:
    """Of ``wanted`` steps as many as ``share`` of the budget's minutes allow; with more minutes
    than usual so many times as many are wanted. Without minutes in the budget all of them.

    ``macs`` are the multiply-accumulates of a picture, ``batch`` the pictures of a step.
    """
    if budget.minutes is None:
        return wanted
    wanted = wanted_steps(wanted, budget)
    allowed = int(60 * budget.minutes * share / (macs * batch / SPEED + OVERHEAD))
    return min(wanted, max(FEWEST_STEPS, allowed))


def wanted_steps(steps: int, budget: BudgetSettings) -> int:
    """The recipe's ``steps``, or with more minutes than usual so many times as many."""
    return round(steps * max(1.0, (budget.minutes or 0) / USUAL_MINUTES))


def doubling(key: str, wanted: int, budget: BudgetSettings, steps_of: StepsOf) -> str:
    """Options with which a training takes twice its steps; the recipe's ``key`` is ``wanted``.

    ``steps_of``: its ``affordable_steps``. Twice the minutes do where these decide on the steps.
    """
    if budget.minutes is None:
        return f"--{key} {2 * wanted}"
    minutes = 2 * budget.minutes
    twice = 2 * steps_of(wanted, budget) - 1  # of rounded numbers
    while steps_of(2 * wanted, replace(budget, minutes=minutes)) < twice:
        minutes += budget.minutes
    alone = steps_of(wanted, replace(budget, minutes=minutes)) >= twice
    return f"--minutes {minutes:g}" if alone else f"--{key} {2 * wanted} --minutes {minutes:g}"


def affordable_macs(steps: int, minutes: float, *, batch: int, share: float) -> int:
    """Multiply-accumulates of a picture with which so many steps fit into the minutes.

    No fewer than take as long as what a step costs besides: below that little time is saved.
    """
    seconds = max(OVERHEAD, 60 * minutes * share / steps - OVERHEAD)
    return int(seconds * SPEED / batch)


def affordable_pictures(wanted: int, budget: BudgetSettings, macs: int) -> int:
    """Of ``wanted`` pictures as many as a teacher can draw in its share of the time.

    ``macs`` are its multiply-accumulates, 0 where these are not known.
    """
    if budget.minutes is None or not macs:
        return wanted
    return min(wanted, int(60 * budget.minutes * DRAW * DRAWING_SPEED / macs))


def known_macs(teacher: Teacher) -> int:
    """Multiply-accumulates of a picture, by its layers or else by its file; 0 where neither says.

    Takes seconds where layers have no int8 form, since a file is made then, or another runtime
    draws once.
    """
    if not teacher.is_opaque:
        with suppress(PocketganError):
            return predict_cost(teacher.folded).macs
    program = teacher.opaque and teacher.opaque.program
    try:
        if program:
            with guard.step("counted", teacher.origin, _UNCOUNTED):
                return program.multiply_accumulates() or 0
        with guard.step("converted to float32", teacher.origin, _UNCOUNTED):
            content = to_float32(teacher.folded, signed=False)
        return work_of_file(read_model(content)).total or 0
    except Exception:  # whatever the converter says of a foreign layer
        return 0
