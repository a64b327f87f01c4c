"""Addresses of storages: what is no address, what does not answer, and that passwords stay here."""

import builtins
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from deploy.errors import PocketganError
from pipeline.search.storage import open_storage, redacted, require_storage, without_secrets


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("nowhere", "nowhere is no storage's address"),
        ("grpc://host", "grpc://host is no storage's address"),
        ("grpc://host:port", "grpc://host:port is no storage's address"),
        ("sqlite.db://x", "sqlite.db://x is no storage's address"),
        ("sqlite://a:secret@host:port/x", r"sqlite://a:\*\*\*@host:port/x is no storage's address"),
        ("sqlite://", "sqlite:// is no storage's address"),
        ("sqlite:///:memory:", "sqlite:///:memory: is no storage's address"),
        ("nosuch://a:secret@database", r"nosuch://a:\*\*\*@database cannot be opened"),
        ("sqlite:////nowhere/x.db", "sqlite:////nowhere/x.db cannot be opened: .*unable to open"),
        ("grpc://127.0.0.1:9", "grpc://127.0.0.1:9 cannot be opened"),
    ],
)
def test_address_at_which_there_is_no_storage_is_named(
    address: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.search.storage.SECONDS_TO_CONNECT", 0.2)
    with pytest.raises(PocketganError, match=problem) as error:
        open_storage(address)
    assert "secret" not in str(error.value)


def test_proxy_that_is_connected_and_silent_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipeline.search.storage.SECONDS_TO_ANSWER", 0.2)
    over = Event()
    silent = grpc.unary_unary_rpc_method_handler(lambda *_: over.wait(60))
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        server.add_generic_rpc_handlers([SimpleNamespace(service=lambda _: silent)])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            with pytest.raises(grpc.RpcError) as error:
                open_storage(f"grpc://127.0.0.1:{port}").get_all_studies()
        finally:
            over.set()
            server.stop(None).wait()
    assert error.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_database_whose_driver_is_missing_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def without_psycopg(name: str, *arguments: Any, **named: Any) -> Any:
        if name.split(".")[0] == "psycopg":
            raise ImportError(f"No module named {name}")
        return load(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without_psycopg)
    with pytest.raises(PocketganError, match="needs its database's driver") as error:
        open_storage("postgresql://user:word@127.0.0.1:9/db")
    assert error.value.remedy.endswith("pip install 'psycopg[binary]'")
    assert "word" not in str(error.value)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://user:word@host:5/db", "postgresql://user:***@host:5/db"),
        ("postgresql://user:wo@rd@host/db", "postgresql://user:***@host/db"),
        ("postgresql://user@host/db", "postgresql://user@host/db"),
        ("postgresql://host/db?user=me&password=word", "postgresql://host/db?user=me&password=***"),
        ("sqlite:///study.db", "sqlite:///study.db"),
    ],
)
def test_passwords_are_not_shown(address: str, shown: str) -> None:
    assert redacted(address) == shown


def test_error_that_repeats_a_part_of_a_password_is_named_by_its_kind_only() -> None:
    address = "postgresql://user:wo@rd@host/db"
    assert without_secrets(OSError("cannot resolve rd@host"), address) == "OSError"
    assert without_secrets(OSError("no\nanswer"), address) == "no answer"


def test_mistyped_file_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(PocketganError, match="there is no storage sqlite"):
        require_storage(f"sqlite:///{tmp_path / 'typo.db'}")
    assert not [*tmp_path.iterdir()]
    open_storage(f"sqlite:///{tmp_path / 'there.db'}")
    require_storage(f"sqlite:///{tmp_path / 'there.db'}")
