"""How far a work is, with the time left, on standard error; one switch silences it all.

A bar where somebody watches; in a log a line now and then.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from datetime import timedelta
from typing import Any, TypeVar

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from pipeline import consoles

T = TypeVar("T")

console = consoles.console(stderr=True, highlight=False)
SECONDS_BETWEEN_LINES = 30
SECONDS_BETWEEN_REPORTS = 1
SECONDS_OF_SPEED = 3600.0
"""Over which the speed is averaged: longer than the longest wait between two signs of life."""


class _Listener:
    """Who hears of all bars of this process in their place."""

    hear: Callable[[float], None] | None = None


def report_to(hear: Callable[[float], None]) -> None:
    """Show nothing from now on: ``hear`` is called with the share that is done of a work."""
    silence()
    _Listener.hear = hear


def silence() -> None:
    """Show neither bars nor notes from now on; errors are still printed by the command line."""
    console.quiet = True


def ask(text: str) -> None:
    """Tell a person what to do, in colours as they are in the text, even where all else is silent:
    nothing goes on until it is done."""
    quiet, console.quiet = console.quiet, False
    console.print(Text.from_ansi(text), soft_wrap=True)
    console.quiet = quiet


def bar() -> Progress:
    """A progress display: what, how far, elapsed, time left."""
    columns = (
        TextColumn("{task.description}", markup=False),  # [ and ] are part of some addresses
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    if console.is_interactive:
        return Progress(
            *columns, console=console, transient=True, speed_estimate_period=SECONDS_OF_SPEED
        )
    # a bar would leave empty lines in a log
    if _Listener.hear is not None:
        return ReportedProgress(_Listener.hear)
    return LoggedProgress(disable=True, speed_estimate_period=SECONDS_OF_SPEED)


def lines(display: Progress) -> Callable[[str, int, int], None]:
    """Show works side by side, each in a line of its own: called with a work's name, what is done
    of it, and of how much."""
    tasks: dict[str, TaskID] = {}

    def show(name: str, done: int, total: int) -> None:
        if name not in tasks:
            tasks[name] = display.add_task(name, total=total)
        display.update(tasks[name], completed=done, total=total)

    return show


class LoggedProgress(Progress):
    """A progress display for logs: a line every half minute."""

    _last_line = 0.0

    def start(self) -> None:
        """Short works say nothing."""
        self._last_line = time.monotonic()

    def update(self, task_id: TaskID, *args: Any, **changes: Any) -> None:
        """As of a bar."""
        super().update(task_id, *args, **changes)
        self._write(task_id)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """As of a bar."""
        super().advance(task_id, advance)
        self._write(task_id)

    def _write(self, task_id: TaskID) -> None:
        if time.monotonic() - self._last_line < SECONDS_BETWEEN_LINES:
            return
        self._last_line = time.monotonic()
        task = self._tasks[task_id]
        parts = [f"{task.completed:,.0f} of {task.total:,.0f}"] if task.total else []
        if task.elapsed:
            parts.append(f"{timedelta(seconds=round(task.elapsed))}")
        if task.time_remaining:
            parts.append(f"{timedelta(seconds=round(task.time_remaining))} left")
        console.print(f"  {task.description}: {', '.join(parts)}")


class ReportedProgress(LoggedProgress):
    """A progress display that somebody else shows: what is done as a share, once a second."""

    def __init__(self, hear: Callable[[float], None]) -> None:
        super().__init__(disable=True)
        self._hear = hear

    def _write(self, task_id: TaskID) -> None:
        task = self._tasks[task_id]
        if task.total and time.monotonic() - self._last_line >= SECONDS_BETWEEN_REPORTS:
            self._last_line = time.monotonic()
            self._hear(task.completed / task.total)


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yield ``items`` while a bar shows how many are done and how long the rest takes."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with bar() as progress:
        task = progress.add_task(description, total=total)
        for item in items:
            yield item
            progress.advance(task)
