"""Graphs of TensorFlow, made of Python as it stands."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import tensorflow as tf

Function = TypeVar("Function", bound=Callable[..., Any])


def as_it_stands(function: Function) -> Function:
    """Decorator: neither the function nor what it calls is rewritten by autograph.

    Nothing here branches or loops by the value of a tensor but through ``tf.cond`` and its like, so
    there is nothing to rewrite; yet each layer of ours and of TF-MOT would be, whenever it is
    called (docs/decisions.md).
    """
    plain: Function = tf.autograph.experimental.do_not_convert(function)
    return plain


def tf_graph(function: Function, signature: Sequence[tf.TensorSpec] | None = None) -> Function:
    """Decorator: a ``tf.function`` of the function as it stands.

    With a ``signature`` it is traced once; NumPy arrays alone would be traced as they come.
    """
    plain = as_it_stands(function)
    traced: Function = tf.function(plain, autograph=False, input_signature=signature)
    return traced
