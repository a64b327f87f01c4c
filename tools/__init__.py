"""Programs for people who work on this project; here TensorFlow is set up for all of them."""

from pipeline.tensorflow_setup import configure_tensorflow

configure_tensorflow()
