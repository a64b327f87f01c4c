"""The Kotlin code, compiled against TensorFlow Lite's own classes and run on the Java machine.

TensorFlow Lite's library for Android does not load there, so a stand-in interpreter answers each
input of a table with its output: what is tested is what the Kotlin code does itself, from the seed
or the picture to the bytes it feeds, and from the bytes it reads to pixels.
"""

import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deploy import cache_folder
from deploy.bundle import schema
from deploy.bundle.drawing import to_pixels, unwire
from deploy.bundle.make import GOLDEN
from tests.deploy.bundle.picture_kinds import PICTURES
from tests.deploy.bundle.recorded_tiles import (
    SIZES,
    TILED,
    golden_table,
    lay_out,
    photo_of,
    record,
    rgba,
)

Bundles = Callable[[str, int, int], dict[str, bytes]]
Put = Callable[[dict[str, bytes], Path], Path]

pytestmark = pytest.mark.slow

STAND_IN = """
package org.tensorflow.lite;
import java.nio.ByteBuffer;
import java.nio.file.*;
public class Interpreter implements AutoCloseable {
  public static class Options {
    public Options setNumThreads(int threads) { return this; }
  }
  public Interpreter(ByteBuffer model, Options options) {}
  public void run(Object input, Object output) {
    try {
      byte[] table = Files.readAllBytes(Paths.get("table.bin"));
      byte[] asked = new byte[((ByteBuffer) input).remaining()];
      int given = ((ByteBuffer) output).remaining();
      ((ByteBuffer) input).get(asked);
      for (int at = 0; at < table.length; at += asked.length + given)
        if (java.util.Arrays.equals(asked, java.util.Arrays.copyOfRange(
            table, at, at + asked.length))) {
          ((ByteBuffer) output).put(table, at + asked.length, given);
          return;
        }
      throw new IllegalArgumentException("an input that is not in the table");
    } catch (java.io.IOException e) { throw new RuntimeException(e); }
  }
  public void close() {}
}
"""

MAIN = """
import java.nio.ByteBuffer
import pocketgan.Generator

fun main() {
    Generator(ByteBuffer.allocateDirect(1)).use { generator ->
        for (seed in 0L until %d)
            println(generator.draw(seed%s).joinToString(" ") { "%%08x".format(it) })
    }
}
"""


FILTER = """
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import pocketgan.Generator

fun main(sizes: Array<String>) {
    Generator(ByteBuffer.allocateDirect(1)).use { generator ->
        for ((number, size) in sizes.withIndex()) {
            val (height, width) = size.split("x").map(String::toInt)
            val rgba = ByteBuffer.wrap(File("$number.rgba").readBytes())
            val photo = IntArray(width * height) { rgba.getInt().let { it ushr 8 or (it shl 24) } }
            %s
            val shares = mutableListOf<Float>()
            val drawn = generator.filter(photo, width, height%s) { shares.add(it) }!!
            val bytes = ByteBuffer.allocate(4 * drawn.size)
            for (pixel in drawn) bytes.putInt((pixel shl 8) or (pixel ushr 24))
            File("$number.drawn").writeBytes(bytes.array())
            check(shares.last() == 1f)
            check(generator.filter(photo, width, height%s) { false } == null)
        }
    }
}
"""


@pytest.fixture(scope="session")
def jars() -> Path:
    """The folder of the Kotlin compiler and of TensorFlow Lite's archive for Android."""
    folder = cache_folder.cache() / "android" / "artifacts"
    if shutil.which("javac") is None:
        pytest.skip("there is no JDK")
    for name in ("kotlin-compiler-embeddable-*.jar", "tensorflow-lite-2*.aar"):
        if not any(folder.glob(name)):
            pytest.skip(f"{folder} holds no {name}: `make android` fetches it")
    return folder


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _compile(folder: Path, jars: Path, main: str) -> None:
    """Kotlin into ``classes``, against the real API; the stand-in into ``stand_in``."""
    classpath = [str(path) for path in jars.glob("kotlin-stdlib-2*.jar")]
    for archive in jars.glob("tensorflow-lite-*.aar"):
        with zipfile.ZipFile(archive) as opened:
            (folder / f"{archive.stem}.jar").write_bytes(opened.read("classes.jar"))
        classpath.append(f"{archive.stem}.jar")
    (folder / "Main.kt").write_text(main)
    (folder / "Interpreter.java").write_text(STAND_IN)
    compiler = [*jars.glob("kotlin*.jar"), *jars.glob("annotations-13*.jar")]
    command = ["java", "-cp", os.pathsep.join(map(str, compiler))]
    command += ["org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-no-stdlib", "-no-reflect"]
    command += ["-Werror", "-cp", os.pathsep.join(classpath), "-d", "classes"]
    _run([*command, "code/Generator.kt", "Main.kt"], folder)
    _run(["javac", "-d", "stand_in", "Interpreter.java"], folder)


@pytest.mark.parametrize("kind", [("int8", 3, 1), ("int8", 0, 3), ("float32", 3, 3)])
def test_kotlin_feeds_the_golden_inputs_and_reads_the_golden_pictures(
    kind: tuple[str, int, int], bundle_of: Bundles, put: Put, tmp_path: Path, jars: Path
) -> None:
    contents = bundle_of(*kind)
    folder = put(contents, tmp_path)
    model = schema.loads(contents["model.json"])
    assert model.latent is not None
    _compile(folder, jars, MAIN % (GOLDEN, ", (seed % 3).toInt()" if model.latent.classes else ""))
    (folder / "table.bin").write_bytes(golden_table(contents))
    (stdlib,) = jars.glob("kotlin-stdlib-2*.jar")
    answer = _run(["java", "-cp", f"stand_in:classes:{stdlib}", "MainKt"], folder)
    lines = answer.splitlines()
    pictures = np.array([[int(pixel, 16) for pixel in line.split()] for line in lines])
    shape = (GOLDEN, *model.output.shape[1:])
    outputs = unwire(contents["golden/outputs.bin"], model.output.dtype, shape)
    golden = to_pixels(outputs, model.output, model.pixels).reshape(GOLDEN, -1, model.channels)
    assert (pictures >> 24 == 0xFF).all()
    for place, shift in enumerate((16, 8, 0)):
        assert (pictures >> shift & 255).tolist() == golden[..., place % model.channels].tolist()


@pytest.mark.parametrize("kind", TILED)
def test_kotlin_draws_large_pictures_as_python_does(
    kind: str,
    picture_bundle_of: Callable[[str], dict[str, bytes]],
    put: Put,
    tmp_path: Path,
    jars: Path,
) -> None:
    folder = put(picture_bundle_of(kind), tmp_path)
    photos = [photo_of(kind, size) for size in SIZES]
    drawn = record(folder, photos)
    mask = 'val mask = File("$number.mask").readBytes()' if PICTURES[kind].mask else ""
    more = ", mask" if mask else ""
    _compile(folder, jars, FILTER % (mask, more, more))
    lay_out(folder, kind, photos)
    (stdlib,) = jars.glob("kotlin-stdlib-2*.jar")
    sizes = [f"{height}x{width}" for height, width in SIZES]
    _run(["java", "-cp", f"stand_in:classes:{stdlib}", "MainKt", *sizes], folder)
    for number, picture in enumerate(drawn):
        assert (folder / f"{number}.drawn").read_bytes() == rgba(picture).tobytes()
