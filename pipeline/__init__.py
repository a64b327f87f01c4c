"""From a GAN to an int8 .tflite with proof. Needs TensorFlow.

In a notebook, call ``pipeline.tensorflow_setup.configure_tensorflow()`` before anything else.
"""
