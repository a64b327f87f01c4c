"""ONNX files: read, rebuilt of tf_keras layers where those exist, and drawn by onnxruntime."""
