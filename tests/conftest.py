"""For every test: TensorFlow must load with the legacy Keras, which `pipeline` asks for."""

import pipeline  # noqa: F401
