"""Sparse tensors of a .tflite, as the converter's EXPERIMENTAL_SPARSITY writes them.

The encoding is that of TACO (Kjolstad et al. 2017): a tensor is a tree with one level a dimension,
walked in ``traversal_order``; a level is dense (a size) or compressed (segments and indices). A
blocked dimension appears twice: which block, and the place inside it.
"""

from dataclasses import dataclass

import numpy as np

from deploy.errors import PocketganError


@dataclass(frozen=True, eq=False)
class Level:
    """One level of the tree: ``size`` where dense, ``segments`` and ``indices`` where compressed.

    Children of node n of a compressed level are ``indices[segments[n] : segments[n + 1]]``. Both
    keep the file's own integer type, as small as one byte.
    """

    size: int
    segments: np.ndarray | None = None
    indices: np.ndarray | None = None

    def children(self) -> np.ndarray:
        """How many children each node of a compressed level has."""
        return np.diff(np.asarray(self.segments, np.int64))

    @property
    def stored_bytes(self) -> int:
        return sum(part.nbytes for part in (self.segments, self.indices) if part is not None)


@dataclass(frozen=True, eq=False)
class Sparsity:
    """How the kept values of a tensor spread over its shape.

    ``traversal_order`` names each level's dimension; numbers from the rank on are the inner parts
    of blocks, and ``block_map`` says which dimension each of those divides.
    """

    traversal_order: tuple[int, ...]
    block_map: tuple[int, ...]
    levels: tuple[Level, ...]

    @property
    def stored_bytes(self) -> int:
        """Bytes of indices and segments in the file."""
        return sum(level.stored_bytes for level in self.levels)

    def dense(self, values: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
        """The kept ``values`` in a dense array of ``shape``, zero elsewhere.

        Raises PocketganError, naming the tensor, where the encoding contradicts itself or points
        outside the shape.
        """
        problem = self._contradiction(values.size, shape)
        if problem is None:
            places = self._places(len(shape))
            if all(np.all((at >= 0) & (at < size)) for at, size in zip(places, shape, strict=True)):
                dense = np.zeros(shape, values.dtype)
                dense[tuple(places)] = values
                return dense
            problem = "points outside its shape"
        raise PocketganError(
            f"the sparse tensor {name} of shape {list(shape)} {problem}",
            "The file is damaged, or its converter was: convert without EXPERIMENTAL_SPARSITY.",
        )

    def _contradiction(self, values: int, shape: tuple[int, ...]) -> str | None:
        """What is wrong before any value is placed, or None."""
        levels = len(shape) + len(self.block_map)
        if sorted(self.traversal_order) != list(range(levels)) or len(self.levels) != levels:
            return "has the wrong number of levels"
        if any(not 0 <= dimension < len(shape) for dimension in self.block_map):
            return "has blocks in a dimension it does not have"
        if self._leaves() != values:
            return "keeps a different number of values than it says"
        return None

    def _leaves(self) -> int | None:
        """Nodes of the tree's last level; None as soon as a level is inconsistent.

        Levels only grow, but for a compressed one, whose segments and indices the file holds: where
        the leaves are as many as the kept values, no level is wider than the file is long.
        """
        nodes = 1
        for level in self.levels:
            if level.segments is None or level.indices is None:
                if level.size < 1:
                    return None
                nodes *= level.size
            else:
                sound = (
                    level.segments.size == nodes + 1
                    and level.segments[0] == 0
                    and level.segments[-1] == level.indices.size
                    and np.all(level.children() >= 0)
                )
                if not sound:
                    return None
                nodes = level.indices.size
        return nodes

    def _places(self, rank: int) -> list[np.ndarray]:
        """For each dimension of the tensor, the coordinate of every kept value."""
        columns: list[np.ndarray] = []
        nodes = 1
        for level in self.levels:
            if level.segments is None or level.indices is None:
                columns = [np.repeat(column, level.size) for column in columns]
                columns.append(np.tile(np.arange(level.size), nodes))
            else:
                columns = [np.repeat(column, level.children()) for column in columns]
                columns.append(level.indices.astype(np.int64))
            nodes = columns[-1].size
        by_dimension = dict(zip(self.traversal_order, columns, strict=True))
        places = [by_dimension[dimension] for dimension in range(rank)]
        for inner, dimension in enumerate(self.block_map, start=rank):
            block = self.levels[self.traversal_order.index(inner)].size
            places[dimension] = places[dimension] * block + by_dimension[inner]
        return places
