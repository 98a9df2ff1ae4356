"""How often a picture is shown, so that rare kinds of things are seen often enough.

Repeat factors (Gupta, Dollar, Girshick, CVPR 2019, section "LVIS: repeat factor sampling"): a kind
that a share f of the pictures shows is wanted max(1, sqrt(t / f)) times, and a picture is shown as
often as its most wanted kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


def repeat_factors(
    kinds: Sequence[Collection[Hashable]], threshold: float | None = None
) -> NDArray[np.float64]:
    """(pictures,): how often each is shown, 1 or more, by the kinds of things that it shows.

    Kinds that less than a share `threshold` of the pictures show are repeated; without one, all
    that are rarer than the most frequent kind. A picture of nothing is shown once.
    """
    shown = Counter(kind for here in kinds for kind in set(here))
    if not shown:
        return np.ones(len(kinds))
    shares = {kind: count / len(kinds) for kind, count in shown.items()}
    wanted = max(shares.values()) if threshold is None else threshold
    factors = {kind: max(1.0, float(np.sqrt(wanted / share))) for kind, share in shares.items()}
    return np.array([max((factors[kind] for kind in here), default=1.0) for here in kinds])


def repeated(
    things: Sequence[T], factors: NDArray[np.float64], rng: np.random.Generator
) -> list[T]:
    """Each thing as often as its factor says: its whole part, and once more by its fraction."""
    whole = np.floor(factors)
    times = whole + (rng.random(len(factors)) < factors - whole)
    return [
        thing for thing, count in zip(things, times.astype(int), strict=True) for _ in range(count)
    ]
