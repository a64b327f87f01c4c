from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.agent import missing_operation
from deploy.agreement import compare
from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan, measure
from deploy.jobs import Job
from deploy.targets import find_target
from deploy.targets.local import Local
from deploy.targets.target import Target


def test_plain_kernels_are_another_target_with_their_own_name(int8_file: Path) -> None:
    fast, plain = measure(
        {"int8": int8_file}, [Local(), Local(xnnpack=False)], plan=MeasuringPlan(rounds=1, runs=8)
    )
    assert (fast.target, plain.target) == ("local", "local:plain")
    assert (fast.delegate, plain.delegate) == ("xnnpack", "none")
    assert fast.error is plain.error is None


@pytest.fixture
def target() -> Target:
    runtime = find_target("local:tflite-runtime")
    state = runtime.availability()
    if not state.ready:
        pytest.skip(f"{state.detail}; {state.remedy}")
    return runtime


def test_same_agent_measures_with_the_other_runtime(
    target: Target, int8_file: Path, job_for: Callable[..., Job]
) -> None:
    with target.open() as session:
        measurement = session(job_for(int8_file, target=target.name), 60)
    assert measurement.error is None
    assert (measurement.runtime, measurement.runtime_version) == ("tflite-runtime", "2.14.0")
    assert measurement.p50_ms


def test_int8_output_lies_within_a_step_of_the_desktop(
    target: Target, int8_file: Path, latents_file: Path, job_for: Callable[..., Job]
) -> None:
    job = job_for(int8_file, latents=str(latents_file), keep_outputs=True)
    with target.open() as there, Local().open() as here:
        agreement = compare(there(job, 60), here(job, 60))
    assert agreement is not None
    assert agreement.largest <= 1


def test_file_too_new_for_it_is_an_error_that_names_operation_and_version(
    target: Target, dynamic_range_file: Path, job_for: Callable[..., Job]
) -> None:
    with target.open() as session:
        measurement = session(job_for(dynamic_range_file), 60)
    assert measurement.error is not None
    assert "tflite-runtime 2.14.0 is too old for FULLY_CONNECTED version 12" in measurement.error


@pytest.mark.parametrize(
    ("said", "lacking"),
    [
        (
            "Didn't find op for builtin opcode 'FULLY_CONNECTED' version '12'. An older version of "
            "this builtin might be supported.",
            "FULLY_CONNECTED version 12",
        ),
        (
            "Op builtin_code out of range: 210. Are you using old TFLite binary with newer model?",
            "the operation numbered 210 in the schema",
        ),
        ("Failed to allocate tensors", None),
    ],
)
def test_operation_that_a_runtime_lacks_is_read_off_its_refusal(
    said: str, lacking: str | None
) -> None:
    assert missing_operation(said) == lacking


def test_missing_environment_is_told_with_the_command_that_adds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POCKETGAN_CACHE", str(tmp_path))
    target = find_target("local:tflite-runtime")
    assert target.availability().remedy == "pocketgan targets install tflite-runtime"
    with pytest.raises(PocketganError, match="not installed"):
        target.require()


@pytest.fixture(scope="session")
def dynamic_range_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights int8, the rest float: what the converter calls FULLY_CONNECTED version 12."""
    import tensorflow as tf
    import tf_keras

    # Weights of fewer than 1,024 values the converter leaves alone.
    network = tf_keras.Sequential(
        [tf_keras.layers.Input((64,), batch_size=1), tf_keras.layers.Dense(64)]
    )
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    path = tmp_path_factory.mktemp("dynamic") / "dynamic-range.tflite"
    path.write_bytes(converter.convert())
    return path
