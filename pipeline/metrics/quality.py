"""Every quality metric of one set of generated images in one record."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict

from pipeline.arrays import Images, Labels, Mask, TrainAndTestImages
from pipeline.metrics.distances import (
    Features,
    frechet_distance,
    kernel_distance,
    sliced_wasserstein,
)
from pipeline.metrics.fidelity import SSIM_WINDOW, colourfulness, psnr, ssim
from pipeline.metrics.manifold import compare_manifolds
from pipeline.metrics.modes import (
    Histogram,
    class_divergence,
    class_histogram,
    classes_present,
)

NEIGHBOURS = 5  # Naeem et al. 2020; used for precision and recall too, so that all four compare
KID_SUBSETS = 50
KID_SUBSET_SIZE = 1000  # or half of the smaller set, so that the subsets differ


class FeatureNetwork(Protocol):
    """What the metrics ask of a judge; any network that offers it can be one."""

    @property
    def sha256(self) -> str:
        """Hash of the weights."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; none where ``predict`` gives None."""

    def features(self, images: Images) -> Features:
        """Features [N, D] of uint8 [N, H, W, C]."""

    def predict(self, images: Images) -> Labels | None:
        """Class numbers [N], or None where the judge knows no classes."""


class Quality(BaseModel):
    """How near generated images come to real ones, as one judge sees them.

    A figure that could not be measured is None, and ``absent`` gives the reason under its name.
    Figures compare only within one judge, one ``samples`` and one ``real_samples``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    judge: str  # sha256 of the judge's weights
    samples: int  # generated images
    real_samples: int  # real images they were compared with
    seed: int  # of the kernel distance's subsets, and of the floor's choice of images
    frechet: float  # 0 is best
    kid: float  # near 0 is best; unbiased, so it may be negative
    kid_std: float  # over the subsets
    precision: float  # 0 to 1
    recall: float  # 0 to 1
    density: float  # about 1 for real images
    coverage: float  # 0 to 1
    sliced_wasserstein: float | None = None  # 0 is best; only older records have none
    modes: int | None = None  # classes drawn
    class_histogram: tuple[int, ...] | None = None  # generated images, by the judge's labels
    class_kl: float | None = None  # nats, KL(generated || real) of the judged labels
    psnr: float | None = None  # decibels, against the same latents through another variant
    ssim: float | None = None  # -1 to 1, likewise
    psnr_truth: float | None = None  # decibels, against what a translation should have become
    ssim_truth: float | None = None  # -1 to 1, likewise
    psnr_hole: float | None = None  # decibels, likewise, where a mask hides what was there
    colourfulness: float | None = None  # mean of the pictures, grey is 0
    absent: dict[str, str] = {}  # name of a figure that is None -> why


@dataclass(frozen=True)
class RealImages:
    """Real images as a judge sees them, looked at once for all variants.

    ``features`` is [M, D]; ``histogram`` counts the judge's labels a class, so that the judge's own
    mistakes weigh on both sides of a comparison, and is None where it knows no classes.
    """

    judge: FeatureNetwork
    features: Features
    histogram: Histogram | None

    @classmethod
    def seen_by(cls, judge: FeatureNetwork, images: Images) -> "RealImages":
        """Show ``images``, uint8 [M, H, W, C], to the judge."""
        return cls(judge, judge.features(images), _histogram(judge, images))


def measure(
    generated: Images,
    real: RealImages,
    *,
    seed: int,
    same_latents: Images | None = None,
    truth: Images | None = None,
    hole: Mask | None = None,
) -> Quality:
    """Compare ``generated``, uint8 [N, H, W, C], with real images.

    ``same_latents`` holds another variant's images of the same latents, in the same order; PSNR and
    SSIM are taken against it, and against ``truth``, what a translation should have become; PSNR
    once more where ``hole``, bool [N, H, W], says that it was hidden. ``seed`` chooses the kernel
    distance's subsets.

    Raises PocketganError where either side holds fewer than 6 images, or images of another size
    than the judge's.
    """
    judge = real.judge
    features = judge.features(generated)
    manifold = compare_manifolds(real.features, features, NEIGHBOURS)
    subset = min(KID_SUBSET_SIZE, min(len(features), len(real.features)) // 2)
    kid = kernel_distance(
        real.features, features, subsets=KID_SUBSETS, subset_size=subset, seed=seed
    )
    classes, classes_absent = _class_figures(_histogram(judge, generated), real.histogram)
    fidelity, fidelity_absent = _fidelity_figures(
        generated, same_latents, "not compared with another file"
    )
    to_truth, truth_absent = _truth_figures(generated, truth, hole)
    colours, colours_absent = _colour_figures(generated)
    return Quality(
        judge=judge.sha256,
        samples=len(generated),
        real_samples=len(real.features),
        seed=seed,
        frechet=frechet_distance(real.features, features),
        kid=kid.mean,
        kid_std=kid.std,
        sliced_wasserstein=sliced_wasserstein(real.features, features),
        **asdict(manifold),
        **classes,
        **fidelity,
        **to_truth,
        **colours,
        absent=classes_absent | fidelity_absent | truth_absent | colours_absent,
    )


def floor(dataset: TrainAndTestImages, real: RealImages, *, samples: int, seed: int) -> Quality:
    """The same figures for real images: what a perfect generator of ``samples`` images would get.

    Training images, drawn by ``seed`` without replacement, take the place of generated ones and are
    compared with ``real``, the test images; where there are fewer than ``samples``, all are taken,
    and the record's ``samples`` says how many. A judge that was trained on them lets a trained
    generator land a little below this floor.

    Raises PocketganError as ``measure`` does.
    """
    count = min(samples, len(dataset.train))
    chosen = np.random.default_rng(seed).choice(len(dataset.train), count, replace=False)
    return measure(dataset.train[chosen], real, seed=seed)


def _histogram(judge: FeatureNetwork, images: Images) -> Histogram | None:
    labels = judge.predict(images)
    return None if labels is None else class_histogram(labels, len(judge.classes))


def _class_figures(
    generated: Histogram | None, real: Histogram | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """What could be measured, and why the rest could not."""
    if generated is None or real is None:
        reason = (
            "the judge knows no classes: no labels in the data set, or it was not trained on it"
        )
        return {}, dict.fromkeys(("modes", "class_histogram", "class_kl"), reason)
    figures = {
        "modes": classes_present(generated, real),
        "class_histogram": tuple(generated.tolist()),
    }
    divergence = class_divergence(generated, real)
    if math.isinf(divergence):
        return figures, {"class_kl": "infinite: a class is drawn that has no real image"}
    return figures | {"class_kl": divergence}, {}


def _fidelity_figures(
    generated: Images, wanted: Images | None, reason: str, suffix: str = ""
) -> tuple[dict[str, Any], dict[str, str]]:
    """What could be measured, and why the rest could not: ``reason`` where nothing is wanted."""
    names = f"psnr{suffix}", f"ssim{suffix}"
    if wanted is None:
        return {}, dict.fromkeys(names, reason)
    figures, absent = {}, {}
    decibels = psnr(generated, wanted)
    if decibels is None:
        absent[names[0]] = "infinite: every pixel is equal"
    else:
        figures[names[0]] = decibels
    if min(generated.shape[1:3]) < SSIM_WINDOW:
        absent[names[1]] = f"SSIM looks through a window of {SSIM_WINDOW} pixels"
    else:
        figures[names[1]] = ssim(generated, wanted)
    return figures, absent


def _truth_figures(
    generated: Images, truth: Images | None, hole: Mask | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """How near to the truth the pictures are, and where a mask hid it; why not, where not."""
    figures, absent = _fidelity_figures(
        generated, truth, "it is not known what the pictures should be", suffix="_truth"
    )
    if truth is None or hole is None or not hole.any():
        absent["psnr_hole"] = "no mask hides a part of pictures whose truth is known"
    elif (decibels := psnr(generated, truth, hole)) is None:
        absent["psnr_hole"] = "infinite: every hidden pixel is equal"
    else:
        figures["psnr_hole"] = decibels
    return figures, absent


def _colour_figures(generated: Images) -> tuple[dict[str, Any], dict[str, str]]:
    if generated.shape[-1] != 3:
        return {}, {"colourfulness": "the pictures are grey"}
    return {"colourfulness": colourfulness(generated)}, {}
