"""What a job has finished before: known from the names of records alone, and small in memory."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from pipeline.batch.inputs import Input
from pipeline.batch.unit import key_of

_SOURCE, _CONFIG = 12, 8


class Done:
    """The keys of one config, as two numbers each, sorted; 100,000 take 1.6 MB.

    `names` are those of files in the store that are called by their keys: `units/KEY.json`.
    """

    def __init__(self, names: Iterable[str], config_hash: str) -> None:
        self._config = config_hash[:_CONFIG]
        numbers = (number for name in names for number in self._numbers(name))
        pairs: NDArray[np.uint64] = np.fromiter(numbers, np.uint64).reshape(-1, 2)
        order = np.lexsort((pairs[:, 1], pairs[:, 0]))
        self._sources, self._versions = pairs[order].T.copy()

    def __len__(self) -> int:
        return len(self._sources)

    def keys_of(self, video: Input) -> list[str]:
        """The keys of all versions of a video that are finished, this one among them or not."""
        key = key_of(video, self._config)
        source = np.uint64(int(key[:_SOURCE], 16))
        first, last = np.searchsorted(self._sources, [source, source + np.uint64(1)])
        head = key[: _SOURCE + _CONFIG]
        return [f"{head}{int(version):012x}" for version in self._versions[first:last]]

    def _numbers(self, name: str) -> tuple[int, ...]:
        key = name.rpartition("/")[2].partition(".")[0]
        if key[_SOURCE : _SOURCE + _CONFIG] != self._config:
            return ()
        return int(key[:_SOURCE], 16), int(key[_SOURCE + _CONFIG :], 16)
