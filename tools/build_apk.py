"""Build the Android app without Gradle: resources, Kotlin, dex, one aligned and signed APK.

    python -m tools.build_apk runs/digits            # bundles the run's variants itself
    python -m tools.build_apk --bundles FOLDER       # a folder with one bundle a variant

What it needs is fetched once and pinned (`android_artifacts.py`). Each step is skipped while its
inputs are unchanged.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.cache_folder import cache
from deploy.errors import PocketganError
from deploy.targets.android_app import PACKAGE
from tools.android_artifacts import DEMO, Artifacts, fetch
from tools.console import run_as_program

ROOT = DEMO.parent
MAIN = DEMO / "app/src/main"
BUILD = ROOT / "build/android"
# A compiler or a test run ends before the JVM's optimizer pays: half of the processor time.
JAVA = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
APK = ROOT / "build/pocketgan-demo.apk"

VERSION_CODE, VERSION_NAME = 1, "0.1.0"
MIN_SDK, TARGET_SDK = 24, 34
ABIS = ("arm64-v8a", "armeabi-v7a", "x86_64")

# Of a run, in the app: the file to ship, and what it is compared with.
VARIANTS = ("int8", "float32")
# What the app reads of a bundle.
MODEL_FILES = ("model.json", "generator.tflite", "golden/*")
STORED = (".tflite", ".so", ".arsc")
PAGE_BYTES = 1 << 14  # what Google Play asks of 64-bit libraries since November 2025
FLATBUFFER_BYTES = 16  # what they want to be aligned to
LOCAL_HEADER = 30  # bytes before the name of a zip's entry

# Android's key for debug builds: anybody may know it, it proves nothing.
KEY_ALIAS, KEY_PASSWORD = "androiddebugkey", "android"


@dataclass(frozen=True)
class BuildStep:
    """A folder that is made from files, and made again only when one of them has changed."""

    folder: Path
    inputs: tuple[Path, ...]
    settings: str = ""

    def make(self, fill: Callable[[Path], None]) -> Path:
        key = self.key()
        stamp = self.folder.with_suffix(".key")
        if not stamp.is_file() or stamp.read_text() != key:
            print(f"{self.folder.name} …", file=sys.stderr)
            stamp.unlink(missing_ok=True)
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            fill(self.folder)
            stamp.write_text(key)
        return self.folder

    def key(self) -> str:
        digest = hashlib.sha256(self.settings.encode())
        for path in self.inputs:
            digest.update(f"{path}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def build(artifacts: Artifacts, assets: Path, apk: Path = APK) -> Path:
    """The signed APK, with all that lies in the folder ``assets``."""
    resources = link_resources(artifacts)
    classes = compile_kotlin(artifacts, resources)
    dex = make_dex(artifacts, classes)
    apk.parent.mkdir(parents=True, exist_ok=True)
    unsigned = BUILD / "unsigned.apk"
    write_apk(unsigned, contents(artifacts, resources, dex, assets))
    sign(artifacts, unsigned, apk)
    return apk


def link_resources(artifacts: Artifacts) -> Path:
    """resources.apk (compiled manifest and resources) and R.java."""
    manifest = MAIN / "AndroidManifest.xml"

    def fill(folder: Path) -> None:
        compiled = folder / "compiled.zip"
        run(*(artifacts.aapt2, "compile"), *("--dir", MAIN / "res"), *("-o", compiled))
        run(
            *(artifacts.aapt2, "link", "-I", artifacts.android, "--manifest", manifest),
            *("--custom-package", PACKAGE, "--java", folder / "java"),
            *("--min-sdk-version", str(MIN_SDK), "--target-sdk-version", str(TARGET_SDK)),
            *("--version-code", str(VERSION_CODE), "--version-name", VERSION_NAME),
            *("-o", folder / "resources.apk", compiled),
        )

    inputs = (manifest, *files(MAIN / "res"), artifacts.aapt2)
    return BuildStep(BUILD / "resources", inputs, f"{MIN_SDK} {TARGET_SDK} {VERSION_NAME}").make(
        fill
    )


def compile_kotlin(artifacts: Artifacts, resources: Path) -> Path:
    """The app's classes."""
    java = files(resources / "java")
    libraries = [artifacts.android, *app_jars(artifacts)]

    def fill(folder: Path) -> None:
        kotlinc(artifacts, [MAIN / "kotlin", *java], libraries, folder)
        run("javac", "-nowarn", "-Xlint:-options", *("--release", "8", "-d", folder), *java)

    return BuildStep(BUILD / "classes", (*files(MAIN / "kotlin"), *java, artifacts.stdlib)).make(
        fill
    )


def kotlinc(artifacts: Artifacts, sources: list[Path], libraries: list[Path], folder: Path) -> None:
    """Compile Kotlin; a warning is an error."""
    run(
        *JAVA,
        *("-Xmx1g", "-cp", joined(artifacts.compiler)),
        "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler",
        *("-no-stdlib", "-no-reflect", "-jvm-target", "1.8", "-Xjdk-release=1.8", "-Werror"),
        *("-classpath", joined(libraries), "-d", folder),
        *sources,
    )


def app_jars(artifacts: Artifacts) -> list[Path]:
    """The Java side of the libraries in the APK."""
    return [artifacts.stdlib, *unpack_jars(artifacts.aars, BUILD / "jars")]


def unpack_jars(aars: list[Path], folder: Path) -> list[Path]:
    def fill(folder: Path) -> None:
        for aar in aars:
            content = zipfile.ZipFile(aar).read("classes.jar")
            (folder / aar.with_suffix(".jar").name).write_bytes(content)

    return files(BuildStep(folder, tuple(aars)).make(fill))


def make_dex(artifacts: Artifacts, classes: Path) -> Path:
    """classes.dex: the app and its libraries for Android's virtual machine."""
    compiled = [path for path in files(classes) if path.suffix == ".class"]
    jars = app_jars(artifacts)

    def fill(folder: Path) -> None:
        run(
            *JAVA,
            *("-Xmx1g", "-cp", artifacts.d8, "com.android.tools.r8.D8", "--release"),
            *("--min-api", str(MIN_SDK), "--lib", artifacts.android, "--output", folder),
            *(*compiled, *jars),
        )

    return BuildStep(BUILD / "dex", (*compiled, *jars), str(MIN_SDK)).make(fill)


def contents(
    artifacts: Artifacts, resources: Path, dex: Path, assets: Path
) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file of the APK."""
    yield from linked(resources)
    for path in files(dex):
        yield path.name, path.read_bytes()
    for aar in artifacts.aars:
        yield from native_libraries(aar)
    yield from packed(assets)


def linked(resources: Path) -> Iterator[tuple[str, bytes]]:
    """The compiled manifest and resources."""
    with zipfile.ZipFile(resources / "resources.apk") as archive:
        for name in sorted(archive.namelist()):
            yield name, archive.read(name)


def native_libraries(aar: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(aar) as library:
        for name in sorted(library.namelist()):
            folder, _, rest = name.partition("/")
            if folder == "jni" and rest.partition("/")[0] in ABIS:
                yield f"lib/{rest}", library.read(name)


def packed(assets: Path) -> Iterator[tuple[str, bytes]]:
    for path in files(assets):
        yield f"assets/{path.relative_to(assets)}", path.read_bytes()


def make_bundles(run_folder: str) -> Path:
    """Bundles of a finished run, made by `pocketgan bundle`: a folder with one a variant."""
    folder = BUILD / "bundles"
    shutil.rmtree(folder, ignore_errors=True)
    for variant in VARIANTS:
        out = folder / variant
        command = ("bundle", run_folder, "--variant", variant, "--out", str(out))
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", *command],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise PocketganError(f"no bundle of {run_folder}: {done.stderr.strip()}")
    return folder


def gather(bundles: Path, assets: Path) -> Path:
    """Copy what the app reads of each of ``bundles`` to where the app's assets lie.

    Raises PocketganError where there is none.
    """
    folders = [path.parent for path in sorted(bundles.glob("*/model.json"))]
    if not folders:
        raise PocketganError(
            f"{bundles} holds no bundle, a folder with a model.json in it",
            f"Make one: pocketgan bundle RUN --variant int8 --out {bundles / 'int8'}",
        )
    shutil.rmtree(assets, ignore_errors=True)
    for bundle in folders:
        for path in (path for pattern in MODEL_FILES for path in bundle.glob(pattern)):
            copy = assets / "bundles" / path.relative_to(bundles)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    return assets


def write_apk(path: Path, entries: Iterable[tuple[str, bytes]]) -> None:
    """A zip whose stored files begin where Android can map them.

    No times in it: the same contents give the same bytes.
    """
    with path.open("wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as apk:
        for name, content in entries:
            info = zipfile.ZipInfo(name)
            suffix = Path(name).suffix
            if suffix in STORED:
                start = file.tell() + LOCAL_HEADER + len(name.encode())
                info.extra = bytes(-start % (PAGE_BYTES if suffix == ".so" else FLATBUFFER_BYTES))
            else:
                info.compress_type = zipfile.ZIP_DEFLATED
            apk.writestr(info, content)


def sign(artifacts: Artifacts, unsigned: Path, apk: Path) -> None:
    run(
        *("java", "-jar", artifacts.apksigner, "sign", "--ks", debug_key()),
        *("--ks-pass", f"pass:{KEY_PASSWORD}", "--ks-key-alias", KEY_ALIAS),
        *("--v1-signing-enabled", "false", "--v4-signing-enabled", "false"),
        *("--min-sdk-version", str(MIN_SDK), "--out", apk, unsigned),
    )


def debug_key() -> Path:
    """The key of debug builds, made once, so that a new build installs over an old one."""
    keystore = cache() / "android" / "debug.keystore"
    if not keystore.is_file():
        keystore.parent.mkdir(parents=True, exist_ok=True)
        run(
            *("keytool", "-genkeypair", "-keystore", keystore, "-alias", KEY_ALIAS),
            *("-storepass", KEY_PASSWORD, "-keyalg", "RSA", "-keysize", "2048"),
            *("-validity", "10000", "-dname", "CN=Android Debug,O=Android,C=US"),
        )
    return keystore


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def joined(paths: Iterable[Path]) -> str:
    """A class path."""
    return ":".join(map(str, paths))


def run(*command: str | Path) -> None:
    """Run a step's program; what it says is shown where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout, done.stderr, sep="", file=sys.stderr)
        raise PocketganError(f"{Path(command[0]).name} failed; what it said stands above")


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the Android app into a signed APK.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("run", nargs="?", help="a finished run, such as runs/digits")
    source.add_argument("--bundles", type=Path, help="a folder with one bundle a variant")
    source.add_argument("--fetch", action="store_true", help="only fetch what the build needs")
    source.add_argument("--pin", action="store_true", help="only fetch, and write the pins anew")
    parser.add_argument("--out", type=Path, default=APK, help="the APK")
    options = parser.parse_args()
    artifacts = fetch(pin=options.pin)
    if not (options.pin or options.fetch):
        bundles = options.bundles or make_bundles(options.run)
        print(build(artifacts, gather(bundles, BUILD / "assets"), options.out))
    return 0


if __name__ == "__main__":
    run_as_program(main)
