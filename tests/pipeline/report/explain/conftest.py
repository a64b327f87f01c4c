"""Explanations with chosen figures: an int8 file of a slow transposed convolution, and float32."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.report.explain.schema import (
    SCHEMA,
    ExplainedFile,
    ExplainedOperation,
    Explanation,
    GpuFinding,
)

Operation = Callable[..., ExplainedOperation]
File = Callable[..., ExplainedFile]
Explained = Callable[..., Explanation]


@pytest.fixture
def operation() -> Operation:
    def make(name: str, cost: float, **others: Any) -> ExplainedOperation:
        macs = others.pop("macs", 0)
        values: dict[str, Any] = {
            "operation": name,
            "layer": name.lower(),
            "shape": (1, 8, 8, 16),
            "dtype": "int8",
            "macs": macs,
            "macs_int8": macs,
            "cost": cost,
            "on_fast_path": True,
        }
        return ExplainedOperation.model_validate(values | others)

    return make


@pytest.fixture
def file() -> File:
    def make(*operations: ExplainedOperation, **others: Any) -> ExplainedFile:
        values: dict[str, Any] = {
            "name": "int8.tflite",
            "sha256": "0" * 64,
            "bytes": 1000,
            "precision": "int8",
            "macs": sum(each.macs for each in operations),
            "macs_int8": sum(each.macs_int8 for each in operations),
            "traffic": 4000,
            "whole": sum(each.cost for each in operations),
            "operations": operations,
        }
        return ExplainedFile.model_validate(values | others)

    return make


@pytest.fixture
def explained(operation: Operation, file: File) -> Explained:
    """By default on a Cortex-A53: 90 % in a transposed convolution that float32 does quicker."""

    def make(**others: Any) -> Explanation:
        int8 = file(
            operation("FULLY_CONNECTED", 100_000, macs=400_000),
            operation("TRANSPOSE_CONV", 900_000, macs=800_000),
        )
        float32 = file(
            operation("FULLY_CONNECTED", 200_000, macs=400_000, macs_int8=0, dtype="float32"),
            operation("TRANSPOSE_CONV", 450_000, macs=800_000, macs_int8=0, dtype="float32"),
            name="float32.tflite",
            bytes=4000,
            precision="float32",
        )
        values: dict[str, Any] = {
            "schema": SCHEMA,
            "pocketgan": "1",
            "date": "2026-11-27",
            "target": "arm:cortex-a53",
            "runtime": "ai-edge-litert 2",
            "unit": "instructions",
            "file": int8,
            "other": float32,
            "left_by_gpu": (),
            "otherwise_on_gpu": (),
        }
        return Explanation.model_validate(values | others)

    return make


@pytest.fixture
def finding() -> Callable[..., GpuFinding]:
    def make(name: str, reason: str = "the delegate has no such operation") -> GpuFinding:
        return GpuFinding(operation=name, layer="a", reason=reason, source="https://rules.example")

    return make
