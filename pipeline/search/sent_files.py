"""A file that one machine leaves in a folder or bucket, and others fetch: by its hash."""

import hashlib
import secrets
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from deploy.errors import PocketganError
from pipeline.atomic import write_bytes
from pipeline.search.storage import redacted, without_secrets
from pipeline.search.work_study import FilesPlace

FSSPEC = "pip install fsspec"


def send(content: bytes, place: str) -> FilesPlace:
    """Leave the content in a folder, or at what fsspec understands (s3://bucket/folder).

    Raises PocketganError where that cannot be written.
    """
    digest = hashlib.sha256(content).hexdigest()
    name = f"pocketgan-{digest[:16]}.zip"
    url = f"{place.rstrip('/')}/{name}" if "://" in place else str(Path(place).absolute() / name)
    try:
        if "://" in place:
            with _fsspec(place).open(url, "wb") as file:
                file.write(content)
        else:
            Path(place).mkdir(parents=True, exist_ok=True)
            write_bytes(Path(url), content)
    except PocketganError:
        raise
    except Exception as error:  # of whichever library carries it
        raise PocketganError(
            f"{redacted(place)} cannot be written to: {without_secrets(error, place)}",
            "Give --artifacts a folder, or a bucket that fsspec can write to.",
        ) from None
    return FilesPlace(url=url, sha256=digest)


def fetch(place: FilesPlace) -> bytes:
    """What was left there. PocketganError where it cannot be read, or is something else."""
    try:
        if "://" in place.url:
            with _fsspec(place.url).open(place.url, "rb") as file:
                content: bytes = file.read()
        else:
            content = Path(place.url).read_bytes()
    except PocketganError:
        raise
    except Exception as error:
        raise PocketganError(
            f"what the trials read is not to be had here, at {redacted(place.url)}: "
            f"{without_secrets(error, place.url)}",
            "Begin the search with --artifacts: a folder or bucket that all its workers reach.",
        ) from None
    if hashlib.sha256(content).hexdigest() != place.sha256:
        raise PocketganError(
            f"{redacted(place.url)} is not what the search left there: its hash differs.",
            "Give the search's command again: it leaves the file anew.",
        )
    return content


def require_place(place: str) -> None:
    """Raise PocketganError unless a file can be left in ``place`` and fetched; none stays there."""
    trial = send(secrets.token_bytes(16), place)  # its own name, whoever else tries the place now
    fetch(trial)
    with suppress(Exception):  # a bucket may let nobody remove anything
        if "://" in trial.url:
            files, path = _fsspec(trial.url).url_to_fs(trial.url)
            files.rm(path)
        else:
            Path(trial.url).unlink()


def _fsspec(url: str) -> Any:
    try:
        return import_module("fsspec")
    except ImportError as error:
        raise PocketganError(
            f"{redacted(url)} is reached by the package fsspec, which is not installed.",
            f"{FSSPEC} (and what it names for that kind of address), or give a folder.",
        ) from error
