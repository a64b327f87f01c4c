"""Optuna's storages by address: a database's URL, or that of a gRPC proxy before one."""

import re
import warnings
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, GrpcStorageProxy, RDBStorage, get_storage
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from deploy.errors import PocketganError, one_line

GRPC = "grpc"
SECONDS_TO_CONNECT = 10
SECONDS_TO_ANSWER = 30
"""Of a proxy that is connected: one that hangs, or whose machine is gone, counts as away."""
DRIVER = "pip install 'psycopg[binary]'"
EXAMPLES = "postgresql://user@host/database, or grpc://host:port of Optuna's proxy"
_SECRETS = re.compile(r"(?<=[?&])(\w*pass\w*|\w*secret\w*|\w*token\w*)=[^&]*", re.IGNORECASE)


def open_storage(address: str) -> BaseStorage:
    """The storage at an address, its tables made where there are none.

    Raises PocketganError where the address is none, nobody answers there, or the database's driver
    is not installed. No message holds the address's password.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    parts = _parts(address)
    try:
        return _proxy(parts) if parts.scheme == GRPC else get_storage(_database(address))
    except ImportError as error:
        raise PocketganError(
            f"the storage {redacted(address)} needs its database's driver, which is not installed.",
            f"That of PostgreSQL: {DRIVER}",
        ) from error
    except Exception as error:  # a database's driver raises what it likes
        raise PocketganError(
            f"the storage {redacted(address)} cannot be opened: {without_secrets(error, address)}",
            "Look whether a server answers there, and knows that user and database (a password may "
            f"lie in ~/.pgpass); an address is {EXAMPLES}.",
        ) from None  # what the driver raised may hold the password


def _parts(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        complete = bool(parts.scheme) and "://" in address
        if complete and parts.scheme == GRPC:
            complete = bool(parts.hostname and parts.port)
        elif complete:
            complete = not _is_of_one_process(make_url(address))
    except (ValueError, ArgumentError):  # a port that is no number
        complete = False
    if not complete:
        raise PocketganError(f"{redacted(address)} is no storage's address.", f"Give {EXAMPLES}.")
    return parts


def _is_of_one_process(url: URL) -> bool:
    """Whether it is SQLite's database in memory, at which nobody else could ever work."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def _proxy(parts: SplitResult) -> BaseStorage:
    assert parts.hostname is not None
    assert parts.port is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        proxy = GrpcStorageProxy(host=parts.hostname, port=parts.port)
    proxy.wait_server_ready(timeout=SECONDS_TO_CONNECT)
    for name, ask in vars(proxy._stub).items():  # Optuna's would wait for ever
        setattr(proxy._stub, name, partial(ask, timeout=SECONDS_TO_ANSWER))
    return proxy


def _database(address: str) -> RDBStorage:
    url = make_url(address)
    settings: dict[str, Any] = {"pool_pre_ping": True}  # a server may have been started again
    if url.get_backend_name() == "postgresql":
        settings["connect_args"] = {"connect_timeout": SECONDS_TO_CONNECT}
    return RDBStorage(address, engine_kwargs=settings)


def require_storage(address: str) -> BaseStorage:
    """As ``open_storage``, where somebody has made it: a mistyped file is not made."""
    parts = _parts(address)
    file = make_url(address).database if parts.scheme.startswith("sqlite") else None
    if file and not Path(file).is_file():
        raise PocketganError(
            f"there is no storage {redacted(address)}.", "Look whether that path is right."
        )
    return open_storage(address)


def redacted(address: str) -> str:
    """The address without passwords, for people and files."""
    before, separator, rest = address.partition("://")
    credentials, at, place = rest.rpartition("@")
    user, colon, _ = credentials.partition(":")
    hidden = f"{user}:***@" if colon else f"{user}{at}"
    return _SECRETS.sub(r"\1=***", f"{before}{separator}{hidden}{place}")


def without_secrets(error: BaseException, address: str) -> str:
    """What an error says, in one line; no more than its kind where it repeats a password."""
    credentials = address.partition("://")[2].rpartition("@")[0]
    secrets = credentials.partition(":")[2].split("@")  # an @ may have been taken for the last
    secrets += [match[0].partition("=")[2] for match in _SECRETS.finditer(address)]
    words = one_line(error).partition(" (Background on this error")[0]  # SQLAlchemy's pages
    if any(secret in words for secret in filter(None, secrets)):
        return type(error).__name__
    return words[:200]
