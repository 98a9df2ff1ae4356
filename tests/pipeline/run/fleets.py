"""A file of streams with a supervisor that knows what is wanted and was never told to begin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.load import load_fleet
from pipeline.measure.values import Metrics
from pipeline.run.live.desired import Desired, Plans
from pipeline.run.live.fleet import Fleet
from pipeline.run.live.supervise import Supervisor
from pipeline.run.local_crew import LocalCrew

TEXT = """\
lanes: [{kind: sound}]
streams:
  yard: rtsp://10.0.0.4/main
  gate: {url: rtsp://10.0.0.5/main, max_lag_s: 3}
"""


@dataclass(frozen=True)
class Fleeting:
    """What a test looks at."""

    path: Path
    desired: Desired
    supervisor: Supervisor
    told: list[str]

    def write(self, text: str) -> None:
        """Writes the file and has it looked at."""
        self.path.write_text(text, encoding="utf-8")
        self.desired.look()

    @property
    def wanted(self) -> dict[str, float | None]:
        """The streams that are wanted, each with its greatest lag."""
        plans = self.supervisor.plans()
        return {name: plans[name].rules.max_lag_s for name in sorted(plans)}


@contextmanager
def fleeting(folder: Path, text: str = TEXT) -> Iterator[Fleeting]:
    """A file with this text in a folder, and who follows it."""
    path = folder / "streams.yaml"
    path.write_text(text, encoding="utf-8")
    fleet, told = load_fleet(path), list[str]()
    with LocalCrew() as crew:
        supervisor = Supervisor(crew, Fleet((), folder / "out"), Metrics(), told.append)
        plans = Plans("cpu", offline=True)
        desired = Desired(path, fleet, plans, supervisor, told.append)
        desired.begin()
        desired.look()
        yield Fleeting(path, desired, supervisor, told)
