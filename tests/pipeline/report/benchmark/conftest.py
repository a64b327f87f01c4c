"""Measurements of two files on four targets, with figures as such targets give them."""

from collections.abc import Callable

import pytest

from deploy.jobs import Agreement, Measurement
from pipeline.report.benchmark.schema import SCHEMA, Benchmark, MeasuredFile


@pytest.fixture
def files() -> tuple[MeasuredFile, ...]:
    """float32 and int8 of one generator with 2.4 million multiply-accumulates."""
    sizes = {"float32": (4000, 3000, 7, 0), "int8": (1000, 800, 0, 2_400_000)}
    return tuple(
        MeasuredFile(
            name=name,
            path=f"/{name}.tflite",
            sha256="0" * 64,
            bytes=size,
            bytes_gzip=packed,
            bytes_zstd=packed,
            macs=2_400_000,
            macs_int8=int8,
            float_ops=floats,
            ops={"CONV_2D": 3},
            traffic=size,
            input_shapes=((1, 64),),
            output_shapes=((1, 28, 28, 1),),
        )
        for name, (size, packed, floats, int8) in sizes.items()
    )


@pytest.fixture
def measurements(measured: Callable[..., Measurement]) -> tuple[Measurement, ...]:
    same = Agreement(reference="local", equal=True, largest=0, share=0)
    near = Agreement(reference="local", equal=False, largest=2e-6, share=0.5)
    step = Agreement(reference="local", equal=False, largest=1, share=0.0025, within_one=1)
    return (
        measured("local", "float32", p50_ms=0.2, p90_ms=0.21, p99_ms=0.4),
        measured("local", "int8", p50_ms=0.04, p90_ms=0.042, p99_ms=0.1),
        measured("arm:cortex-a53", "float32", instructions=2_590_000, agreement=near),
        measured(
            "arm:cortex-a53",
            "int8",
            instructions=3_380_000,
            agreement=same,
            runtime="ai-edge-litert",
        ),
        measured("arm:cortex-a76", "float32", instructions=2_170_000, agreement=near),
        measured("arm:cortex-a76", "int8", instructions=1_680_000, agreement=same),
        measured("micro", "float32", error="the agent was ended by SIGSEGV"),
        measured("micro", "int8", arena_bytes=36_800, agreement=step),
    )


@pytest.fixture
def benchmark(files: tuple[MeasuredFile, ...], measurements: tuple[Measurement, ...]) -> Benchmark:
    return Benchmark(
        schema=SCHEMA,
        pocketgan="0.0",
        date="2026-01-01T00:00:00+00:00",
        plan={"runs": 2048},
        baseline="float32",
        machine={"cpu": "a cpu", "cores": 2},
        bandwidth=10e9,
        files=files,
        measurements=measurements,
    )
