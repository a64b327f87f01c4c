"""A phone, through adb. Never tried on a real phone yet: only against a stand-in adb server.

Two backends measure. The demo app, where it is installed, carries jobs out as the agent does on
other targets: percentiles, memory, outputs. Otherwise a ``benchmark_model`` of the user's does what
it can (``android_tool.py``); it goes first where $POCKETGAN_BENCHMARK_MODEL names one.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from deploy.errors import PocketganError
from deploy.targets.target import Availability, Session, Target, TargetLostError

# At run time these are imported where a phone is asked for: adbutils, which they need, loads half a
# second of other packages.
if TYPE_CHECKING:
    from deploy.targets.adb import AndroidBackend

ADB_START = "adb start-server"

STATES = {
    "unauthorized": "unlock it and allow USB debugging in the dialogue that it shows",
    "authorizing": "unlock it and allow USB debugging in the dialogue that it shows",
    "offline": "unplug it and plug it in again, or run `adb reconnect`",
    "no": "you may not use this USB device: install Android's udev rules",  # "no permissions"
}


class Android(Target):
    """The phone with this serial, or the only one that is connected."""

    def __init__(self, serial: str = "") -> None:
        self.name = f"android:{serial}" if serial else "android"
        self.machine = self.name
        self._serial = serial

    def availability(self) -> Availability:
        devices = list_phones()
        if devices is None:
            host, port = server_address()
            return Availability(f"no adb server answers at {host}:{port}", ADB_START)
        if not devices:
            return Availability("no phone is connected, or it does not allow USB debugging")
        serial = self._serial or next(iter(devices))
        if serial not in devices or (not self._serial and len(devices) > 1):
            names = ", ".join(f"android:{name}" for name in devices)
            return Availability(f"say which phone; connected: {names}")
        state = devices[serial]
        if state != "device":
            return Availability(f"the phone is {state}: {STATES.get(state, 'start it anew')}")
        try:
            return choose_backend(serial)[1]
        except PocketganError as error:
            return Availability(error.problem)
        except TimeoutError:
            return Availability("the phone does not answer")

    @contextmanager
    def open(self) -> Iterator[Session]:
        try:
            self.require()
        except PocketganError as error:  # a cable may be plugged in yet, a dialogue answered
            raise TargetLostError(error.problem, error.remedy) from None
        with ExitStack() as stack:
            try:
                place, _ = choose_backend(self._serial or next(iter(list_phones() or {}), ""))
                backend = stack.enter_context(place())
            except TimeoutError as error:
                problem = f"target {self.name}: the phone does not answer ({error})"
                raise TargetLostError(problem, "Is it busy? Try again.") from None
            self.machine = backend.boot_id or self.machine
            yield backend.answer


def phones() -> list[Target]:
    """A target for each phone that the adb server knows, or one that says what is missing."""
    return [Android(serial) for serial in list_phones() or {"": "none"}]


def server_address() -> tuple[str, int]:
    """Where adb itself looks: $ANDROID_ADB_SERVER_ADDRESS and $ANDROID_ADB_SERVER_PORT."""
    port = os.environ.get("ANDROID_ADB_SERVER_PORT", "")
    host = os.environ.get("ANDROID_ADB_SERVER_ADDRESS") or "127.0.0.1"
    return host, int(port) if port.isdecimal() else 5037


def list_phones() -> dict[str, str] | None:
    """Each phone's serial and state ("device" when ready); None where no adb server answers."""
    try:
        socket.create_connection(server_address(), timeout=0.5).close()
    except (OSError, OverflowError):  # a port number may be too large
        return None
    from deploy.targets.adb import Client

    return Client(*server_address()).states()


def choose_backend(
    serial: str,
) -> "tuple[Callable[[], AbstractContextManager[AndroidBackend]], Availability]":
    """What measures on this phone, to be placed there, and whether it can.

    It is the demo app where that is installed, unless the user named a tool.
    """
    from deploy.targets import android_app, android_tool
    from deploy.targets.adb import Client, Phone

    phone = Phone(Client(*server_address()), serial)
    if android_tool.VARIABLE not in os.environ and android_app.installed(phone):
        state = Availability(f"the demo app {android_app.PACKAGE} measures", ready=True)
        return partial(android_app.App.placed, phone), state
    tool = android_tool.find_tool(phone)
    if not tool.ready:
        detail = f"{tool.detail}; or install the demo app (`make android`)"
        tool = Availability(detail)
    return partial(android_tool.Tool.placed, phone), tool
