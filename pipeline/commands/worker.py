"""The command worker: tries students of a search that another process or machine leads."""

import os
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy import cache_folder
from deploy.errors import PocketganError
from pipeline import progress
from pipeline.commands.arguments import OK, command_parser, parse
from pipeline.consoles import done
from pipeline.native_log import native_log
from pipeline.stage import package_versions
from pipeline.workers import Piece, Workers, most_workers, refuse_too_many

if TYPE_CHECKING:  # a command that only shows its help starts without TensorFlow
    from pipeline.search.trials import SearchContext, TrialScore
    from pipeline.search.work_study import WorkStudy

MORE = """. Begin the search with --storage ADDRESS, then start as many workers as you like, there
and on every machine with this package:

  pocketgan compress runs/digits --max-gzip-kb 12 --storage postgresql://lab@db/pocketgan

  pocketgan worker postgresql://lab@db/pocketgan

A worker fetches what it needs by the address alone, tries one student at a time on each core, and
ends with the search. It may be stopped or killed at any moment: what it was at is tried by another.
The choice is the same with any number of workers. ADDRESS may be grpc://host:port of Optuna's proxy
before the database. docs/distributed.md tells how either is started."""


def worker(arguments: list[str]) -> int:
    parser = command_parser("worker", "workers", "quiet", more=MORE)
    parser.add_argument("address", type=str, metavar="ADDRESS", help="of the search's storage")
    parser.add_argument(
        "--search", type=str, metavar="NAME", help="which one, where several wait at that address"
    )
    options = parse(parser, arguments)
    refuse_too_many(options.workers)
    from pipeline.search.storage import redacted, require_storage

    storage = require_storage(options.address)
    with native_log(Path(os.devnull)):
        from pipeline.search.work_study import WorkStudy

        study = WorkStudy.join(storage, options.address, options.search)
        _refuse_other_versions(study)
        _tell(f"works for {study.name} at {redacted(options.address)}")
        with cache_folder.aside(cache_folder.cache() / "worker") as folder:
            count = _serve(study, options, folder)
    progress.console.print(done(f"{study.name}: the search is over; {count} trials were made here"))
    return OK


def _refuse_other_versions(study: "WorkStudy") -> None:
    """PocketganError where a trial would give something else here than where the search is led."""
    here, there = package_versions(), study.facts.versions
    for package in {**there, **here}:
        if here.get(package) != there.get(package):
            raise PocketganError(
                f"the search '{study.name}' is led with {package} {there.get(package)}, and here "
                f"is {here.get(package)}: a student would score differently.",
                f"Install {package} {there.get(package)} here.",
            )


def _serve(study: "WorkStudy", options: Any, folder: Path) -> int:
    """Try students in worker processes until the search is over; gives how many trials."""
    from pipeline.search.distributed import serve
    from pipeline.search.sent_files import fetch
    from pipeline.search.trials import THREADS
    from pipeline.stages.trial_files import unpack

    unpack(fetch(study.facts.files), folder)
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
    shared = partial(_read_shared, options.address, folder)
    serving = partial(serve, address=options.address, search=study.name, worker=name)
    count = options.workers or most_workers(THREADS)
    try:
        with Workers(count, threads=THREADS, shared=shared) as workers:
            pieces = [Piece("a worker of the search", serving)] * count
            return sum(number for _, number in workers.results(pieces, _teller(study, name)))
    finally:
        with suppress(PocketganError):  # of a storage that is away: it will notice by itself
            study.give_back(name)


def _read_shared(address: str, folder: Path) -> "SearchContext":
    """What the trials of a worker process share.

    A database's driver that connects for the first time when TensorFlow is loaded crashes over TLS:
    both bring a cryptographic library, with the same names.
    """
    from pipeline.search.storage import require_storage

    require_storage(address)
    from pipeline.stages.trial_files import read_trial_files

    return read_trial_files(folder, folder)


def _teller(study: "WorkStudy", name: str) -> Callable[[float], None]:
    """Prints each trial that this worker has made, as it ends."""
    from pipeline.search.distributed import title
    from pipeline.search.work_study import DONE

    printed = set[int]()

    def tell(_: float) -> None:
        for one in study.works(DONE):
            if one.worker == name and one.trial.number not in printed:
                printed.add(one.trial.number)
                _tell(f"{title(one.work)}: {_in_words(one.score)}")

    return tell


def _in_words(score: "TrialScore | None") -> str:
    if score is None:
        return "does not fit the budget"
    return f"{score.score:.4g} from its teacher after {score.steps:,} steps"


def _tell(line: str) -> None:
    progress.console.print(f"  {line}", soft_wrap=True)
