"""From a finished run to a bundle, and the commands around it; needs no TensorFlow."""
