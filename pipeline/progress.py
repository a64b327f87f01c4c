"""Progress bars with the time left, on standard error; one switch silences them all."""

from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

T = TypeVar("T")

console = Console(stderr=True, highlight=False)


def silence() -> None:
    """Show neither bars nor notes from now on; errors are still printed by the command line."""
    console.quiet = True


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
    return Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_interactive,  # it would leave empty lines in a log
    )


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yield ``items`` while a bar shows how many are done and how long the rest takes."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with bar() as progress:
        yield from progress.track(items, total=total, description=description)
