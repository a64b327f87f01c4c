"""Run the Android app's tests on this machine's JVM, in Robolectric.

    python -m tools.android_tests [PhotoTest ...]   # these classes only
    python -m tools.android_tests --bundles build/android/bundles --screenshots build/screenshots

Without options the app holds the tiny bundles of its tests; with them screenshots of it are taken
with real ones, and with the photo of `--photo`.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.targets.android_app import PACKAGE
from tools import build_apk
from tools.android_artifacts import DEMO, Artifacts, fetch
from tools.console import run_as_program

TESTS = DEMO / "app/src/test"
# What the tests leave for Python to look at.
LEFT = build_apk.BUILD / "left"
FAILED = 1

# What Robolectric reaches into; it prints these lines where they lack.
OPENED = ("java.lang", "java.util", "java.io", "java.net", "java.security", "java.text")


@dataclass(frozen=True)
class Screenshots:
    """Where they go, and the photo that is filtered on them (None: a golden picture)."""

    folder: Path
    photo: Path | None = None


def run_tests(
    artifacts: Artifacts, bundles: Path, names: Sequence[str], shots: Screenshots | None
) -> int:
    """Compile, and run all test classes, or those of ``names``; the exit code."""
    resources = build_apk.link_resources(artifacts)
    classes = build_apk.compile_kotlin(artifacts, resources)
    tests = compile_tests(artifacts, classes)
    config = write_config(resources, bundles)
    properties = {
        "robolectric.offline": "true",
        "robolectric.dependency.dir": artifacts.folder,
        "pocketgan.tests": TESTS,
        "pocketgan.left": LEFT,
        "pocketgan.screenshots": shots.folder.absolute() if shots else "",
        "pocketgan.photo": shots.photo.absolute() if shots and shots.photo else "",
    }
    libraries = test_libraries(artifacts)
    return subprocess.run(
        [
            *build_apk.JAVA,
            *("-Xmx2g", *(f"-D{name}={value}" for name, value in properties.items())),
            *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED),
            *("-cp", build_apk.joined([config, TESTS / "resources", tests, classes, *libraries])),
            *(
                "org.junit.runner.JUnitCore",
                *test_classes(tests, names),
            ),
        ],
        cwd=build_apk.BUILD,
        check=False,
    ).returncode


def compile_tests(artifacts: Artifacts, classes: Path) -> Path:
    sources = build_apk.files(TESTS / "kotlin")
    libraries = [classes, *test_libraries(artifacts)]

    def fill(folder: Path) -> None:
        build_apk.kotlinc(artifacts, [TESTS / "kotlin"], libraries, folder)

    inputs = (*sources, *build_apk.files(classes), *artifacts.for_tests)
    return build_apk.BuildStep(build_apk.BUILD / "test-classes", inputs).make(fill)


def test_libraries(artifacts: Artifacts) -> list[Path]:
    aars = artifacts.all("monitor-*.aar")  # Robolectric starts activities with it
    monitor = build_apk.unpack_jars(aars, build_apk.BUILD / "test-jars")
    app = build_apk.app_jars(artifacts)
    return [*app, *artifacts.for_tests, *monitor, artifacts.android]


def write_config(resources: Path, bundles: Path) -> Path:
    """Tell Robolectric where the app's manifest and resources are, as Gradle does."""
    config = build_apk.BUILD / "test-config"
    apk = build_apk.BUILD / "test.apk"
    assets = build_apk.gather(bundles, build_apk.BUILD / "test-assets")
    build_apk.write_apk(apk, [*build_apk.linked(resources), *build_apk.packed(assets)])
    properties = config / "com/android/tools/test_config.properties"
    properties.parent.mkdir(parents=True, exist_ok=True)
    properties.write_text(
        f"android_resource_apk={apk}\n"
        f"android_merged_manifest={build_apk.MAIN / 'AndroidManifest.xml'}\n"
        f"android_custom_package={PACKAGE}\n"
    )
    return config


def test_classes(folder: Path, names: Sequence[str]) -> Iterator[str]:
    for path in sorted(folder.rglob("*Test.class")):
        if not names or path.stem in names:
            yield ".".join(path.relative_to(folder).with_suffix("").parts)


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the Android app's tests on the JVM.")
    parser.add_argument("names", nargs="*", help="test classes, such as PhotoTest; otherwise all")
    parser.add_argument("--bundles", type=Path, default=TESTS / "bundles", help="what it holds")
    parser.add_argument("--screenshots", type=Path, help="only take screenshots, into this folder")
    parser.add_argument("--photo", type=Path, help="what is filtered on the screenshots")
    options = parser.parse_args()
    shots = Screenshots(options.screenshots, options.photo) if options.screenshots else None
    names = ["ScreenshotTest"] if shots else options.names
    code = run_tests(fetch(), options.bundles, names, shots)
    return FAILED if code else 0


if __name__ == "__main__":
    sys.exit(run_as_program(main))
