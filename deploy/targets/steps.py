"""A step of an installation: a command that works, or an error that ends with its last words."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.errors import PocketganError


def run_step(
    command: Sequence[str],
    problem: str,
    *,
    remedy: str,
    time_limit: float,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run ``command`` to its end.

    Raises:
        PocketganError: it fails, or takes longer than ``time_limit`` seconds; ``problem`` and what
            it said last tell why.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=time_limit,
            cwd=cwd,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        late = f"{problem}: no end after {time_limit:g} s"
        raise PocketganError(late, "Is the network slow? Try again.") from error
    if done.returncode != 0:
        said = done.stdout.strip().splitlines() or [f"exit code {done.returncode}"]
        raise PocketganError(f"{problem}: {said[-1]}", remedy)
