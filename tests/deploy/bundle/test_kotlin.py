"""The Kotlin code, compiled against TensorFlow Lite's own classes and run on the Java machine.

TensorFlow Lite's library for Android does not load there, so a stand-in interpreter answers each
golden input with its golden output: what is tested is what the Kotlin code does itself, from the
seed to the bytes it feeds, and from the bytes it reads to pixels.
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
      byte[] inputs = Files.readAllBytes(Paths.get("golden/inputs.bin"));
      byte[] outputs = Files.readAllBytes(Paths.get("golden/outputs.bin"));
      byte[] given = new byte[((ByteBuffer) input).remaining()];
      ((ByteBuffer) input).get(given);
      for (int i = 0; i < inputs.length / given.length; i++)
        if (java.util.Arrays.equals(given, java.util.Arrays.copyOfRange(
            inputs, i * given.length, (i + 1) * given.length))) {
          int size = outputs.length * given.length / inputs.length;
          ((ByteBuffer) output).put(outputs, i * size, size);
          return;
        }
      throw new IllegalArgumentException("no golden input");
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


def _compile(folder: Path, jars: Path, call: str) -> None:
    """Kotlin into ``classes``, against the real API; the stand-in into ``stand_in``."""
    classpath = [str(path) for path in jars.glob("kotlin-stdlib-2*.jar")]
    for archive in jars.glob("tensorflow-lite-*.aar"):
        with zipfile.ZipFile(archive) as opened:
            (folder / f"{archive.stem}.jar").write_bytes(opened.read("classes.jar"))
        classpath.append(f"{archive.stem}.jar")
    (folder / "Main.kt").write_text(MAIN % (GOLDEN, call))
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
    _compile(folder, jars, ", (seed % 3).toInt()" if model.latent.classes else "")
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
