"""The streams that are wanted: said by any thread, taken note of by the one that runs them."""

from __future__ import annotations

from threading import Lock

from pipeline.errors import ConfigError
from pipeline.run.live.tended import StreamPlan, unknown


class Wanted:
    """Plans by the name of their stream; any thread may call every method.

    Each change is told once, so nobody has to go through thousands of streams to find it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._plans: dict[str, StreamPlan] = {}
        self._changed: dict[str, None] = {}
        self._restarts: dict[str, None] = {}
        self._ending = False

    def want(self, plan: StreamPlan, *, new: bool = False) -> None:
        """Adds a stream, or changes it.

        ConfigError when it is `new` and another one has its name, or when everything is ending.
        """
        with self._lock:
            if self._ending:
                message = "witness is ending: no stream begins any more"
                raise ConfigError(message)
            if new and plan.name in self._plans:
                message = f"there is a stream called {plan.name!r} already; remove it first"
                raise ConfigError(message)
            self._plans[plan.name] = plan
            self._changed[plan.name] = None

    def drop(self, name: str) -> None:
        """Wants a stream no more; ConfigError when there is none."""
        with self._lock:
            if self._plans.pop(name, None) is None:
                raise ConfigError(unknown(self._plans, name))
            self._changed[name] = None

    def restart(self, name: str) -> None:
        """Wants a stream's reader replaced; ConfigError when there is none."""
        with self._lock:
            if name not in self._plans:
                raise ConfigError(unknown(self._plans, name))
            self._restarts[name] = None

    def over(self, plan: StreamPlan) -> None:
        """The stream has ended by itself; one that is wanted by another plan by now stays."""
        with self._lock:
            if self._plans.get(plan.name) == plan:
                del self._plans[plan.name]

    def end(self) -> None:
        """Wants no stream any more, and none that anybody might want later."""
        with self._lock:
            self._ending = True
            self._changed.update(dict.fromkeys(self._plans))
            self._plans.clear()

    def plan(self, name: str) -> StreamPlan | None:
        """The plan by which a stream is wanted, if it is."""
        with self._lock:
            return self._plans.get(name)

    def plans(self) -> dict[str, StreamPlan]:
        """All that is wanted."""
        with self._lock:
            return dict(self._plans)

    def changes(self) -> dict[str, StreamPlan | None]:
        """What was said of streams since this was asked: their plans, None of those to be ended."""
        with self._lock:
            changed, self._changed = self._changed, {}
            return {name: self._plans.get(name) for name in changed}

    def restarts(self) -> list[str]:
        """The streams whose readers were to be replaced since this was asked."""
        with self._lock:
            restarts, self._restarts = self._restarts, {}
            return list(restarts)
