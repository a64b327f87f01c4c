"""Fetch TensorFlow Lite's C library for x86-64 Linux, which the test of code/generator.cc links.

    python -m tools.tflite_c          prints where it is

Neither LiteRT's wheels for x86-64 nor tflite-runtime's export the C API. The library in the JavaCPP
preset on Maven Central does: TensorFlow Lite 2.20, whose C API applies no XNNPACK delegate by
itself. Maven is needed once; the checksum is pinned.
"""

import hashlib
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from deploy import cache_folder as places
from deploy.errors import PocketganError
from pipeline.atomic import write_bytes
from tools.console import run_as_program

ARTIFACT = "org.bytedeco:tensorflow-lite:2.20.0-1.5.13:jar:linux-x86_64"
ARCHIVE_SHA256 = "9bba5aaa6c53a005404a3f1b4bc4789d2bb1ec3dbe17896829822c883832542b"
MEMBER = "org/bytedeco/tensorflowlite/linux-x86_64/libjnitensorflowlite.so"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
SECONDS = 600


def library() -> Path:
    """Where the library is, or will be."""
    return places.cache() / "tflite_c" / ARCHIVE_SHA256[:16] / "libtensorflowlite_c.so"


def fetch() -> Path:
    """Put the library in the cache, unless it is there.

    Raises PocketganError where Maven is missing, cannot fetch it, or brings another file.
    """
    if library().is_file():
        return library()
    maven = shutil.which("mvn")
    if maven is None:
        raise PocketganError("there is no mvn on PATH", "Install Maven and a JDK.")
    with tempfile.TemporaryDirectory() as folder:
        command = [
            maven,
            "-q",
            "-B",
            PLUGIN,
            f"-Dartifact={ARTIFACT}",
            f"-DoutputDirectory={folder}",
        ]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=SECONDS, cwd=folder
            )
        except subprocess.TimeoutExpired as error:
            raise PocketganError(f"Maven did not end in {SECONDS} s", "Try again.") from error
        jars = list(Path(folder).glob("*.jar"))
        if done.returncode or not jars:
            said = done.stdout.strip().splitlines() or ["no reason was given"]
            raise PocketganError(f"Maven cannot fetch {ARTIFACT}: {said[0]}", "Is there a network?")
        content = jars[0].read_bytes()
        if hashlib.sha256(content).hexdigest() != ARCHIVE_SHA256:
            raise PocketganError(f"{ARTIFACT} is another file than it was", "Do not use it.")
        with zipfile.ZipFile(jars[0]) as jar:
            library().parent.mkdir(parents=True, exist_ok=True)
            write_bytes(library(), jar.read(MEMBER))
    return library()


def main() -> int:
    print(fetch())
    return 0


if __name__ == "__main__":
    run_as_program(main)
