"""Data: one file a source, one type for all. Importing it does not load TensorFlow."""

from pipeline.arrays import Images, Labels
from pipeline.data.dataset import Dataset, split
from pipeline.data.sources import SOURCES, Source, load

__all__ = ["SOURCES", "Dataset", "Images", "Labels", "Source", "load", "split"]
