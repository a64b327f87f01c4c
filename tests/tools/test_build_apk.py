"""The Android app as it is built: the APK's contents, its signature, and its own tests."""

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import PocketganError
from deploy.jobs import Job, Measurement
from deploy.targets.android_app import NOT_OF_THE_APP
from tools import android_artifacts, android_golden, android_tests, apk_report, build_apk

ROOT = Path(__file__).parents[2]
BUNDLES = android_tests.TESTS / "bundles"


@pytest.fixture(scope="module")
def artifacts() -> android_artifacts.Artifacts:
    """What the build needs; a test does not fetch it."""
    folder = android_artifacts.artifacts_folder()
    if not folder.is_dir():
        pytest.skip(f"no {folder}: fetch it with `python -m tools.build_apk --fetch`")
    try:
        return android_artifacts.fetch()
    except PocketganError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def apk(artifacts: android_artifacts.Artifacts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An APK with the tiny bundles of the app's tests."""
    folder = tmp_path_factory.mktemp("apk")
    assets = build_apk.gather(BUNDLES, folder / "assets")
    return build_apk.build(artifacts, assets, folder / "demo.apk")


def output(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_apk_is_signed(apk: Path, artifacts: android_artifacts.Artifacts) -> None:
    said = output(*("java", "-jar", artifacts.apksigner), *("verify", "--verbose", apk))
    assert "Verified using v2 scheme (APK Signature Scheme v2): true" in said
    assert "Verified using v3 scheme (APK Signature Scheme v3): true" in said


def test_another_apksigner_accepts_it(apk: Path) -> None:
    if shutil.which("apksigner") is None:
        pytest.skip("no apksigner on this system")
    output("apksigner", "verify", apk)


def test_a_changed_byte_breaks_the_signature(
    apk: Path, artifacts: android_artifacts.Artifacts, tmp_path: Path
) -> None:
    content = bytearray(apk.read_bytes())
    content[len(content) // 2] ^= 1
    changed = tmp_path / "changed.apk"
    changed.write_bytes(content)
    done = subprocess.run(
        ["java", "-jar", artifacts.apksigner, "verify", changed], capture_output=True, check=False
    )
    assert done.returncode != 0


@pytest.mark.parametrize("variant", ["int8", "float32"])
def test_models_lie_in_it_byte_for_byte_and_uncompressed(apk: Path, variant: str) -> None:
    name = f"assets/bundles/{variant}/generator.tflite"
    with zipfile.ZipFile(apk) as archive:
        assert archive.getinfo(name).compress_type == zipfile.ZIP_STORED
        assert archive.read(name) == (BUNDLES / variant / "generator.tflite").read_bytes()


def test_all_that_a_bundle_needs_lies_in_it(apk: Path) -> None:
    names = set(zipfile.ZipFile(apk).namelist())
    for name in ("model.json", "golden/latents.f32", "golden/inputs.bin", "golden/outputs.bin"):
        assert f"assets/bundles/int8/{name}" in names


def test_native_libraries_are_of_three_kinds_of_processors_and_start_at_pages(apk: Path) -> None:
    with zipfile.ZipFile(apk) as archive:
        libraries = [info for info in archive.infolist() if info.filename.endswith(".so")]
        for info in libraries:
            assert info.compress_type == zipfile.ZIP_STORED
            assert data_offset(apk, info) % (1 << 14) == 0
    assert {info.filename for info in libraries} == {
        f"lib/{abi}/lib{library}.so"
        for abi in ("arm64-v8a", "armeabi-v7a", "x86_64")
        for library in ("tensorflowlite_jni", "tensorflowlite_gpu_jni")
    }


def data_offset(apk: Path, info: zipfile.ZipInfo) -> int:
    """Where the content begins, by the entry's own header."""
    header = apk.read_bytes()[info.header_offset : info.header_offset + 30]
    return (
        info.header_offset
        + 30
        + int.from_bytes(header[26:28], "little")
        + int.from_bytes(header[28:30], "little")
    )


def test_zipalign_agrees(apk: Path) -> None:
    if shutil.which("zipalign") is None:
        pytest.skip("no zipalign on this system")
    output("zipalign", "-c", "-p", "4", apk)


def test_the_app_asks_for_no_permission(apk: Path, artifacts: android_artifacts.Artifacts) -> None:
    said = output(artifacts.aapt2, "dump", "permissions", apk).splitlines()
    assert said == ["package: org.pocketgan.demo"]


def test_the_app_says_what_it_is(apk: Path, artifacts: android_artifacts.Artifacts) -> None:
    said = output(artifacts.aapt2, "dump", "badging", apk)
    for line in (
        "package: name='org.pocketgan.demo' versionCode='1' versionName='0.1.0'",
        "sdkVersion:'24'",
        "targetSdkVersion:'34'",
        "launchable-activity: name='org.pocketgan.demo.MainActivity'",
        "native-code: 'arm64-v8a' 'armeabi-v7a' 'x86_64'",
    ):
        assert line in said


def test_segments_are_aligned_as_readelf_says(apk: Path, tmp_path: Path) -> None:
    if shutil.which("readelf") is None:
        pytest.skip("no readelf on this system")
    for entry in apk_report.entries(apk):
        if entry.alignment:
            with zipfile.ZipFile(apk) as archive:
                library = Path(archive.extract(entry.name, tmp_path))
            lines = output("readelf", "-lW", library).splitlines()
            loads = [int(line.split()[-1], 16) for line in lines if line.split()[:1] == ["LOAD"]]
            assert entry.alignment == min(loads)


def test_the_report_adds_up(apk: Path) -> None:
    entries = apk_report.entries(apk)
    assert sum(entry.packed for entry in entries) == apk.stat().st_size
    assert any("16 KB" in note for note in apk_report.as_table(apk, entries).notes)


def test_a_report_of_no_apk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PocketganError, match="is no APK"):
        apk_report.entries(tmp_path / "none.apk")


def test_the_same_sources_give_the_same_bytes(
    artifacts: android_artifacts.Artifacts, apk: Path, tmp_path: Path
) -> None:
    resources, dex = build_apk.BUILD / "resources", build_apk.BUILD / "dex"
    assets = build_apk.gather(BUNDLES, tmp_path / "assets")
    copies = [tmp_path / "a.apk", tmp_path / "b.apk"]
    for copy in copies:
        build_apk.write_apk(copy, build_apk.contents(artifacts, resources, dex, assets))
    assert copies[0].read_bytes() == copies[1].read_bytes()


def test_the_app_uses_nothing_that_android_7_lacks(apk: Path) -> None:
    """A few packages of Java that newer Androids have, and that compile all the same."""
    for path in (build_apk.BUILD / "classes").rglob("*.class"):
        content = path.read_bytes()
        for lacking in (b"java/nio/file/", b"java/time/", b"java/util/Base64"):
            assert lacking not in content, path.name


@pytest.fixture(scope="module")
def left(artifacts: android_artifacts.Artifacts) -> Path:
    """What the app's tests leave behind, once they have passed."""
    shutil.rmtree(android_tests.LEFT, ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-m", "tools.android_tests"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=900,
    )
    if done.returncode:
        pytest.fail(f"{done.stdout[-8000:]}\n{done.stderr[-2000:]}")
    return android_tests.LEFT


@pytest.mark.parametrize("name", ["whole-int8", "whole-float32", "pushed", "from-adb"])
def test_an_answer_fits_the_schema(left: Path, name: str) -> None:
    answer = Measurement.model_validate_json((left / f"{name}.json").read_bytes(), strict=True)
    assert answer.error is None
    assert answer.runtime == "tensorflow-lite"
    assert answer.init_ms is not None


def test_what_the_benchmark_shares_fits_the_schema(left: Path) -> None:
    shared = json.loads((left / "benchmark.json").read_text())
    answers = [Measurement.model_validate_json(json.dumps(each), strict=True) for each in shared]
    assert [answer.variant for answer in answers] == ["int8", "float32"]
    assert all(answer.runs == 1024 for answer in answers)


def test_a_refused_job_is_answered_in_the_schema(left: Path) -> None:
    answer = Measurement.model_validate_json((left / "refused.json").read_bytes(), strict=True)
    assert answer.error is not None
    assert "threads" in answer.error


@pytest.mark.parametrize("variant", ["int8", "float32"])
def test_outputs_are_packed_and_hashed_as_the_agent_does(left: Path, variant: str) -> None:
    answer = Measurement.model_validate_json((left / f"whole-{variant}.json").read_bytes())
    assert answer.outputs is not None
    (output,) = answer.outputs
    content = zlib.decompress(base64.b64decode(output.data))
    assert hashlib.sha256(content).hexdigest() == answer.output_sha256
    assert np.frombuffer(content, output.dtype).reshape(output.shape).std() > 0


def test_the_app_takes_exactly_the_fields_of_a_job() -> None:
    """A field added to the schema must be added to the app, or kept from it."""
    source = (build_apk.MAIN / "kotlin/org/pocketgan/demo/Job.kt").read_text()
    unknown = {field for field in Job.model_fields if f'"{field}"' not in source}
    assert unknown == NOT_OF_THE_APP


def test_golden_files_are_current() -> None:
    """Floats in bundles may differ in their last bits on another processor."""
    for path, content in android_golden.golden_files():
        committed = (android_tests.TESTS / path).read_bytes()
        if "/float32/golden/" in path and path.endswith(".bin"):
            now, before = (np.frombuffer(each, np.float32) for each in (content, committed))
            np.testing.assert_allclose(now, before, atol=1e-5)
        elif path != "golden/float32.json":
            assert content == committed, path


def test_a_folder_without_bundles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PocketganError, match="holds no bundle"):
        build_apk.gather(tmp_path, tmp_path / "assets")


def test_missing_programs_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(PocketganError, match="java, javac, keytool, mvn") as caught:
        android_artifacts.check_programs()
    assert "apt-get install" in caught.value.remedy


def test_a_file_that_is_not_the_pinned_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("POCKETGAN_CACHE", str(tmp_path))
    monkeypatch.setattr(android_artifacts, "check_programs", lambda: None)
    monkeypatch.setattr(android_artifacts, "read_pins", lambda: {"a.jar": "0" * 64})
    folder = android_artifacts.artifacts_folder()
    folder.mkdir(parents=True)
    (folder / "a.jar").write_bytes(b"another")
    with pytest.raises(PocketganError, match=r"not what artifacts\.sha256 pins: a\.jar"):
        android_artifacts.fetch()


def test_a_step_is_made_again_only_when_an_input_changed(tmp_path: Path) -> None:
    source = tmp_path / "source"
    folders = []

    def make() -> None:
        build_apk.BuildStep(tmp_path / "out", (source,)).make(lambda folder: folders.append(folder))

    source.write_text("a")
    make()
    make()
    assert len(folders) == 1
    source.write_text("b")
    make()
    assert len(folders) == 2


def test_bad_input_is_one_message_and_exit_code_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.build_apk", "--bundles", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={"PATH": "/nonexistent", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 2
    assert "needs java, javac, keytool, mvn" in done.stderr
    assert "Traceback" not in done.stderr
