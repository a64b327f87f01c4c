"""The bundle: what an app developer receives. Its format is told in docs/bundle.md.

``make`` puts one together in memory, ``files`` reads and packs it, ``verify`` holds it against
itself and against the local runtime. Nothing here needs TensorFlow.
"""
