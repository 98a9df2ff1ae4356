"""How long to wait before something that failed is tried again."""

from __future__ import annotations

from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_exponential_jitter

WELL_S = 5.0
"""What lived for so long did well: when it ends, the next one starts at once."""
_WAIT = wait_exponential_jitter(multiplier=0.25, max=30, jitter=0.5)


def pause_s(failures: int) -> float:
    """Seconds after so many failures in a row: none after the first, then ever more, up to 30."""
    if failures < 2:
        return 0.0
    retry = RetryCallState(Retrying(), None, (), {})
    retry.attempt_number = failures - 1
    return _WAIT(retry)
