"""Who stands by takes the place of who is lost, at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from pipeline.run.live.lasting import Lasting
from pipeline.run.live.spare import Spare
from pipeline.run.local_crew import LocalCrew

WITHIN_S = 20.0


class Echo:
    """Says who it is."""

    def ready(self) -> bool:
        return True

    def pid(self) -> int:
        return os.getpid()

    def checkpoint(self) -> bytes:
        return b""

    def restore(self, _: bytes) -> None:
        pass


class Broken(Echo):
    """Cannot be made ready."""

    def ready(self) -> bool:
        raise OSError("no networks")


@pytest.fixture
def crew() -> Iterator[LocalCrew]:
    with LocalCrew() as crew:
        yield crew


def load(crew: LocalCrew, spare: Spare) -> None:
    spare.prepare()
    latest = time.monotonic() + WITHIN_S
    while spare.waits_for():
        assert time.monotonic() < latest
        spare.tick(set(crew.wait(spare.waits_for(), 0.1)))


def test_the_spare_takes_the_place_of_a_lost_worker(crew: LocalCrew) -> None:
    spare = Spare(crew, "member", Echo)
    heard: list[int] = []
    place = Lasting(
        crew,
        "member",
        "0",
        Echo,
        checkpoint_s=60,
        hung_s=WITHIN_S,
        starting_s=WITHIN_S,
        spare=spare,
    )
    load(crew, spare)
    [standing_by] = [worker.pid for worker in crew.workers if worker.name == "spare"]
    os.kill(place.worker.pid, signal.SIGKILL)
    place.call(
        "pid",
        answered=lambda calls: heard.append(crew.result(calls[0])),
        given_up=lambda: None,
    )
    latest = time.monotonic() + WITHIN_S
    while not heard:
        assert time.monotonic() < latest
        place.tick(set(crew.wait(place.waits_for(), 0.1)))
    assert heard == [standing_by] and place.ready
    assert spare.take() is None


def test_one_that_cannot_be_made_ready_does_not_stand_by(crew: LocalCrew) -> None:
    spare = Spare(crew, "member", Broken)
    load(crew, spare)
    assert spare.take() is None
    assert not crew.workers
    spare.prepare()  # at once again would be a machine busy with nothing else
    assert not crew.workers
