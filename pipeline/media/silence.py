"""Which medium of a connection fell silent while packets went on to come."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.records import Medium

LONGEST_S = 600.0


class Silence:
    """Finds a medium of which something was decoded once, and nothing for `patience_s`.

    A sender that drops its sound, or changes a codec, may do so without a word: what it says when
    it is opened anew is right again. Patience doubles each time, for sound that is often silent.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._latest: dict[Medium, tuple[int, float]] = {}

    def begin(self) -> None:
        """A new connection, or one of which nothing was decoded on purpose."""
        self._latest.clear()

    def fallen(self, decoded: Mapping[Medium, int], now: float) -> Medium | None:
        """The medium that fell silent; `decoded` has this connection's totals, `now` is in s."""
        for medium, total in decoded.items():
            before, since = self._latest.get(medium, (0, now))
            if total > before or not total:
                self._latest[medium] = (total, now)
            elif now - since > self._patience_s:
                self._patience_s = min(2 * self._patience_s, LONGEST_S)
                return medium
        return None
