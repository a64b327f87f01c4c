import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from pydantic import ValidationError

from deploy import agent
from deploy.errors import PocketganError
from deploy.jobs import SCHEMA_VERSION, Job, Measurement, Subject, describe_file, failure
from tests.deploy.subject import SUBJECT

FIGURES = {
    "init_ms": 1.5,
    "first_ms": 0.5,
    "p50_ms": 0.2,
    "p90_ms": 0.3,
    "p99_ms": 0.4,
    "mean_ms": 0.25,
    "min_ms": 0.1,
    "overhead_ns": 90,
    "runs": 1024,
    "rounds": 4,
    "spread": 0.01,
    "peak_rss_kb": 4000,
    "per_second": 4000.0,
    "delegated": 1.0,
    "output_sha256": "1" * 64,
}
ABSENT = {
    "arena_bytes": "not told",
    **dict.fromkeys(("instructions", "dot_products", "loads", "stores"), "not counted"),
}


def test_job_survives_json() -> None:
    job = Job.model_validate(
        SUBJECT | {"path": "a b.tflite", "warmup": 0, "runs": 1, "latents": "z.npy"}
    )
    assert Job.model_validate_json(job.model_dump_json()) == job


def test_measurement_survives_json() -> None:
    measurement = Measurement.model_validate(
        SUBJECT | FIGURES | {"absent": ABSENT, "samples_ns": [3, 1, 2], "warnings": ["busy"]}
    )
    assert Measurement.model_validate_json(measurement.model_dump_json()) == measurement


@pytest.mark.parametrize(
    "change", [{}, {"energy_mj": 3.0, "energy_source": "RAPL"}, {"absent": {"energy_mj": "no"}}]
)
def test_energy_is_absent_with_a_reason_only_where_it_was_looked_for(
    change: dict[str, Any],
) -> None:
    absent = ABSENT | change.get("absent", {})
    measurement = Measurement.model_validate(SUBJECT | FIGURES | change | {"absent": absent})
    assert measurement.reason("energy_mj") == absent.get("energy_mj", "")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"absent": {}}, "arena_bytes, dot_products, instructions, loads, stores"),
        ({"energy_mj": 3.0, "absent": ABSENT | {"energy_mj": "no"}}, "energy_mj"),
        ({"delegated": 1.1}, "delegated"),
        ({"per_second": 0}, "per_second"),
        ({"absent": ABSENT | {"p50_ms": "no"}}, "p50_ms"),
        ({"absent": ABSENT | {"typo": "no"}}, "typo"),
        ({"p90_ms": 0}, "p90_ms"),
        ({"p90_ms": float("nan")}, "p90_ms"),
        ({"p90_ms": float("inf")}, "p90_ms"),
        ({"output_sha256": "short"}, "output_sha256"),
        ({"latency": 1}, "latency"),
        ({"schema_version": 1}, "schema_version"),
    ],
)
def test_measurement_refuses_wrong_fields(change: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Measurement.model_validate(SUBJECT | FIGURES | {"absent": ABSENT} | change)


@pytest.mark.parametrize(
    "change", [{"threads": 0}, {"runs": 0}, {"delegate": "gpu"}, {"warmup": -1}, {"color": 1}]
)
def test_job_refuses_wrong_fields(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Job.model_validate(SUBJECT | {"path": "a.tflite", "warmup": 0, "runs": 1} | change)


def test_schema_is_frozen() -> None:
    measurement = Measurement.model_validate(SUBJECT | FIGURES | {"absent": ABSENT})
    with pytest.raises(ValidationError):
        measurement.p50_ms = 0.1  # type: ignore[misc]


def test_failure_tells_of_its_subject_and_error_only(
    float_file: Path, job_for: Callable[..., Job]
) -> None:
    job = job_for(float_file, threads=2)
    measurement = failure(job, "gone")
    assert measurement.error == "gone"
    assert measurement.p50_ms is None
    assert measurement.threads == 2
    assert measurement.sha256 == job.sha256


def test_describe_file_gives_hash_and_sizes(tmp_path: Path) -> None:
    path = tmp_path / "zeros.tflite"
    path.write_bytes(bytes(5000))
    fields = describe_file(path)
    assert fields["sha256"] == hashlib.sha256(bytes(5000)).hexdigest()
    assert fields["bytes"] == 5000
    assert fields["bytes_gzip"] == len(gzip.compress(bytes(5000), 9))
    assert fields["bytes_zstd"] == len(zstandard.ZstdCompressor(19).compress(bytes(5000)))


def test_describe_file_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(PocketganError, match=r"none\.tflite"):
        describe_file(tmp_path / "none.tflite")


def test_describe_file_refuses_a_name_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "\udcff.tflite"  # how Python shows the byte 0xff in a file's name
    path.write_bytes(b"model")
    with pytest.raises(PocketganError, match="not UTF-8") as caught:
        describe_file(path)
    str(caught.value).encode()


def test_agent_speaks_this_schema() -> None:
    assert {"schema_version", *agent.SUBJECT} == set(Subject.model_fields)
    assert {"schema_version", *agent.SUBJECT, *agent.SETTINGS} == set(Job.model_fields)
    assert agent.SCHEMA_VERSION == SCHEMA_VERSION


def test_file_that_is_not_packed_is_as_long_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "zeros.tflite"
    path.write_bytes(bytes(1000))
    about = describe_file(path, packed=False)
    assert about["bytes"] == about["bytes_gzip"] == about["bytes_zstd"] == 1000
    packed = describe_file(path)
    assert packed["sha256"] == about["sha256"]
    assert int(packed["bytes_gzip"]) < 100
