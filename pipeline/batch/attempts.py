"""How often a unit was begun: a video that takes its worker with it is not tried for ever."""

from __future__ import annotations

import json

from pipeline.batch.store import Store
from pipeline.batch.unit import Unit

ATTEMPTS = "attempts"
MOST = 4


class Attempts:
    """Counts the beginnings of units within one run of a job, in the store of its results.

    A run that was killed from outside says nothing about the video that it was at; so each run
    begins to count anew.
    """

    def __init__(self, store: Store, run: str) -> None:
        self._store = store
        self._run = run

    def given_up(self, unit: Unit, key: str) -> str | None:
        """Why the unit is not to be begun again; None when it may, and then this is counted."""
        name = _name(unit, key)
        count = 0
        if self._store.exists(name):
            known = json.loads(self._store.read(name))
            count = known["count"] if known["run"] == self._run else 0
        if count >= MOST:
            return f"its worker died {count} times while it was at it: killed, crashed or hung"
        told = json.dumps({"run": self._run, "count": count + 1})
        self._store.write(name, told.encode())
        return None

    def forget(self, unit: Unit, key: str) -> None:
        """The unit has come to its end."""
        self._store.remove(_name(unit, key))


def _name(unit: Unit, key: str) -> str:
    part = "" if unit.part is None else f"-{unit.part.number}"
    return f"{ATTEMPTS}/{key}{part}.json"
