"""What came before, in eight bytes each, for what is too many to be remembered by name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LATEST = 4096


class Seen:
    """Remembers texts by 64 bits of their hash.

    That two of a million texts share them happens once in thirty million such sets.
    """

    def __init__(self) -> None:
        self._sorted: NDArray[np.int64] = np.empty(0, np.int64)
        self._latest: set[int] = set()

    def add(self, text: str) -> bool:
        """True when the text was not there yet; it is now."""
        number = hash(text)
        if number in self._latest or self._is_old(number):
            return False
        self._latest.add(number)
        if len(self._latest) == LATEST:
            latest = np.fromiter(self._latest, np.int64, LATEST)
            self._sorted = np.union1d(self._sorted, latest)
            self._latest.clear()
        return True

    def _is_old(self, number: int) -> bool:
        place = np.searchsorted(self._sorted, number)
        return bool(place < len(self._sorted) and self._sorted[place] == number)
