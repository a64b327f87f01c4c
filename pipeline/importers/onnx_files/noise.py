"""Noise that an ONNX model draws for itself, as StyleGAN and FastGAN inject it."""

import onnx

_NORMAL = ("RandomNormal", "RandomNormalLike")
_UNIFORM = ("RandomUniform", "RandomUniformLike")
_FROM, _UP_TO = 0.0, 1.0
"""What ONNX takes where a uniform one does not say."""
_NEXT_TO_NONE = 1e-30
"""A deviation that changes no picture; onnxruntime aborts the process at 0."""


def fix_noise(model: onnx.ModelProto) -> tuple[str, ...]:
    """Set all noise to its mean, in place; what was done, in words, if there was any.

    A student draws the same picture of the same latents, and so has to its teacher.
    """
    kinds = dict[str, None]()
    for node in model.graph.node:
        if node.op_type in _NORMAL:
            _set(node, scale=_NEXT_TO_NONE)
        elif node.op_type in _UNIFORM:
            ends = {each.name: each.f for each in node.attribute}
            mean = (ends.get("low", _FROM) + ends.get("high", _UP_TO)) / 2
            _set(node, low=mean, high=mean)
        else:
            continue
        kinds[node.op_type] = None
    if not kinds:
        return ()
    return (f"the noise that it draws for itself ({', '.join(kinds)}) is fixed at its mean",)


def _set(node: onnx.NodeProto, **values: float) -> None:
    others = [each for each in node.attribute if each.name not in values]
    del node.attribute[:]
    node.attribute.extend(others)
    node.attribute.extend(onnx.helper.make_attribute(name, value) for name, value in values.items())
