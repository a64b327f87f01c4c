"""The workshop: from a GAN to an int8 .tflite with proof. Needs TensorFlow.

What TensorFlow asks the environment for is set before anything imports it: the legacy Keras, since
TF-MOT works on Keras 2 only, and the number of threads. A sum is cut into a piece a thread, so that
number is part of every result and must not be the machine's.
"""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "2"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
