"""What there is to complain about in a video that was read: broken off, cut short, damaged."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from pipeline.batch.tables import FailureRow
from pipeline.cut import ReadReport

SHORT_BY_S = Fraction(2)
SHORT_BY_SHARE = Fraction(1, 50)


def broken(source: str, report: ReadReport, segment: int | None = None) -> list[FailureRow]:
    """What befell the reading of a video, or of a part of it; usually nothing."""
    at = round(float(report.progress.position), 6)
    if report.error is not None:
        return [FailureRow(source, "broke_off", report.error, segment, at, at > 0)]
    counted = _damage(report.troubles)
    if not counted:
        return []
    reason = f"damaged: {counted}; what could be decoded is among the results"
    return [FailureRow(source, "damaged", reason, segment, at, True)]


def cut_short(source: str, position: Fraction, claimed: Fraction | None) -> list[FailureRow]:
    """A row when a video ends well before its header says, none when it is whole.

    `claimed` is the length by the header, in seconds, where it can be believed.
    """
    if claimed is None or claimed - position <= max(SHORT_BY_S, claimed * SHORT_BY_SHARE):
        return []
    at = round(float(position), 6)
    reason = f"its header claims {float(claimed):.3f} s, but it ends at {at:.3f} s: is it complete?"
    return [FailureRow(source, "cut_short", reason, None, at, at > 0)]


def _damage(troubles: Mapping[str, int]) -> str:
    told = sorted((name, count) for name, count in troubles.items() if "corrupt" in name and count)
    told += sorted((n, c) for n, c in troubles.items() if n.endswith("nothing_decoded") and c)
    return ", ".join(f"{count} {name.replace('_', ' ', 1)}" for name, count in told)
