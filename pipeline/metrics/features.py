"""The checks that every metric on feature vectors shares."""

import numpy as np
import numpy.typing as npt

from deploy.errors import PocketganError

Features = npt.NDArray[np.float64]


def paired_features(a: npt.ArrayLike, b: npt.ArrayLike, at_least: int) -> tuple[Features, Features]:
    """Both sets as float64 [N, D] and [M, D], or a PocketganError.

    Raises PocketganError where a set is not a matrix, holds fewer than ``at_least`` vectors or a
    NaN or infinity, or where the two widths D differ.
    """
    first, second = _features(a, "first", at_least), _features(b, "second", at_least)
    if first.shape[1] != second.shape[1]:
        raise PocketganError(
            f"the two feature sets differ in width: {first.shape[1]} and {second.shape[1]}.",
            "Take both sets from the same judge.",
        )
    return first, second


def _features(values: npt.ArrayLike, which: str, at_least: int) -> Features:
    features = np.asarray(values, np.float64)
    if features.ndim != 2:
        raise PocketganError(
            f"the {which} feature set has shape {features.shape}, not [N, D].",
            "Pass one feature vector a row.",
        )
    if len(features) < at_least:
        raise PocketganError(
            f"the {which} feature set holds {len(features)} samples; "
            f"this metric needs at least {at_least}.",
            "Evaluate with more images.",
        )
    if not np.isfinite(features).all():
        raise PocketganError(
            f"the {which} feature set holds NaN or infinite values.",
            "Look for NaN in the images or in the judge's weights.",
        )
    return features
