"""Heights of rows and the sums above them, in a Fenwick tree: every question costs O(log n).

Pure: knows neither Qt nor what a row is. Heights are whole pixels and never negative.
"""

from __future__ import annotations

from collections.abc import Iterable


class Heights:
    """A list of heights that also knows where each row begins and which row lies at a place."""

    def __init__(self, heights: Iterable[int] = ()) -> None:
        self._heights = list(heights)
        self._tree = [0, *self._heights]
        for i in range(1, len(self._tree)):
            parent = i + (i & -i)
            if parent < len(self._tree):
                self._tree[parent] += self._tree[i]

    def __len__(self) -> int:
        return len(self._heights)

    def __getitem__(self, index: int) -> int:
        return self._heights[index]

    def __setitem__(self, index: int, height: int) -> None:
        change = height - self._heights[index]
        if not change:
            return
        self._heights[index] = height
        i = index + 1
        while i < len(self._tree):
            self._tree[i] += change
            i += i & -i

    def append(self, height: int) -> None:
        """Add a row at the end."""
        i = len(self._tree)
        self._heights.append(height)
        self._tree.append(self.top(i - 1) + height - self.top(i - (i & -i)))

    def top(self, index: int) -> int:
        """Where row `index` begins: the sum of the heights before it."""
        result = 0
        while index > 0:
            result += self._tree[index]
            index -= index & -index
        return result

    @property
    def total(self) -> int:
        return self.top(len(self._heights))

    def index_at(self, y: int) -> int:
        """The row that covers `y`, or the first or last one. Raises IndexError if there is none."""
        if not self._heights:
            raise IndexError("no rows")
        index, step = 0, 1 << (len(self._heights).bit_length() - 1)
        while step:
            following = index + step
            if following < len(self._tree) and self._tree[following] <= y:
                index = following
                y -= self._tree[following]
            step >>= 1
        return min(index, len(self._heights) - 1)
