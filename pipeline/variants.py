"""The variants of a generator: one .tflite file each, a row in every table."""

VARIANTS = (
    "float32",
    "float16",
    "dynamic-range",
    "int8-ptq",
    "pruned-float32",
    "student-float32",
    "int8-qat",
    "int8",
    "int16x8",
)
BASELINE = "float32"
SHIPPED = "int8"
