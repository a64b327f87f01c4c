"""Fetch LiteRT.js, which the test of code/generator.js runs in Node.js.

    python -m tools.litert_js          prints where it is

npm is needed once; the version is the one that the code's header names, and the checksum of the
WebAssembly is pinned.
"""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from deploy import cache_folder as places
from deploy.errors import PocketganError
from pipeline.atomic import replace_folder
from tools.console import run_as_program

PACKAGE, VERSION = "@litertjs/core", "2.5.3"
WASM = f"node_modules/{PACKAGE}/wasm/litert_wasm_internal.wasm"
WASM_SHA256 = "7280cf4471774867e385e6c3cd53e2b45e2975b80fea338fff4ef359b0865614"
SECONDS = 600


def package_folder() -> Path:
    """Where the folder with node_modules is, or will be."""
    return places.cache() / "litert_js" / VERSION


def fetch() -> Path:
    """Put the package in the cache, unless it is there.

    Raises PocketganError where npm is missing, cannot fetch it, or brings another file.
    """
    if package_folder().is_dir():
        return package_folder()
    npm = shutil.which("npm")
    if npm is None:
        raise PocketganError("there is no npm on PATH", "Install Node.js with npm.")
    with tempfile.TemporaryDirectory() as temporary:
        options = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefix", temporary]
        command = [npm, "install", *options, f"{PACKAGE}@{VERSION}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired as error:
            raise PocketganError(f"npm did not end in {SECONDS} s", "Try again.") from error
        wasm = Path(temporary) / WASM
        if done.returncode or not wasm.is_file():
            said = done.stderr.strip().splitlines() or ["no reason was given"]
            raise PocketganError(f"npm cannot fetch {PACKAGE}: {said[0]}", "Is there a network?")
        if hashlib.sha256(wasm.read_bytes()).hexdigest() != WASM_SHA256:
            raise PocketganError(f"{PACKAGE} {VERSION} is another than it was", "Do not use it.")
        partial = package_folder().with_name(f".{VERSION}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(temporary, partial)
        replace_folder(partial, package_folder())
    return package_folder()


def main() -> int:
    print(fetch())
    return 0


if __name__ == "__main__":
    run_as_program(main)
