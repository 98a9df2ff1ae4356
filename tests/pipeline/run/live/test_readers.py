"""Tending readers: one that hangs is replaced, one that is only looked at late is not."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.measure.values import Metrics
from pipeline.media.address import LiveAddress
from pipeline.run.live.readers import STEP_S, Readers
from pipeline.run.live.tended import StreamPlan, Tended
from pipeline.run.local_crew import LocalCrew
from pipeline.testing import brightness_lane

LATE_S = 1000.0


@pytest.fixture
def crew() -> Iterator[LocalCrew]:
    with LocalCrew() as crew:
        yield crew


@pytest.fixture
def stream(film: Path) -> Tended:
    address = LiveAddress("file", str(film), realtime=True, loop=True)
    return Tended(StreamPlan("yard", address, (brightness_lane(),)), 0)


def asked(crew: LocalCrew, readers: Readers, stream: Tended) -> None:
    """Begins the stream's reader, and hears it once."""
    readers.tend(stream, time.monotonic())
    assert stream.call is not None
    assert crew.wait([stream.call[0]], 30)
    assert readers.heard(stream) is not None
    readers.ask(stream, time.monotonic())


def test_an_answer_that_waits_to_be_looked_at_is_no_silence(
    crew: LocalCrew, stream: Tended
) -> None:
    readers = Readers(crew, 6, Metrics())
    asked(crew, readers, stream)
    assert stream.call is not None
    crew.wait([stream.call[0]], 30)
    readers.tend(stream, time.monotonic() + LATE_S)
    assert (stream.restarts, len(crew.workers)) == (0, 1)
    assert readers.heard(stream) is not None


def test_a_reader_that_does_not_answer_is_replaced(crew: LocalCrew, stream: Tended) -> None:
    readers = Readers(crew, 6, Metrics())
    asked(crew, readers, stream)
    assert stream.call is not None
    crew.wait([stream.call[0]], 30)
    readers.heard(stream)
    os.kill(stream.worker.pid, signal.SIGSTOP)
    readers.ask(stream, time.monotonic())
    readers.tend(stream, time.monotonic() + LATE_S)
    assert (stream.restarts, crew.workers) == (1, ())
    assert "did not answer" in stream.state[1]
    readers.tend(stream, time.monotonic() + LATE_S)
    assert [worker.name for worker in crew.workers] == ["yard"]


def test_one_that_was_asked_for_is_begun_at_once(crew: LocalCrew, stream: Tended) -> None:
    metrics = Metrics()
    readers = Readers(crew, 6, metrics)
    asked(crew, readers, stream)
    readers.restart(stream)
    assert (stream.restarts, stream.due, crew.workers) == (1, 0.0, ())
    labels = {"stream": "yard", "reason": "reader_restarted"}
    assert metrics.registry.get_sample_value("witness_readers_lost_total", labels) == 1


def test_streams_of_one_priority_lower_their_rates_alike(crew: LocalCrew, film: Path) -> None:
    address = LiveAddress("file", str(film))
    lanes = (brightness_lane(),)
    late, prompt = (
        Tended(StreamPlan("late", address, lanes), 0),
        Tended(StreamPlan("prompt", address, lanes), 0),
    )
    first = Tended(StreamPlan("first", address, lanes, priority=1), 0)
    readers = Readers(crew, 6, Metrics())
    late.under_way.append(0.0)
    for stream in (late, prompt, first):
        readers.pressure.weigh(stream)
    readers.pressure.govern(4.5)
    assert [readers.pressure.level(stream) for stream in (late, prompt, first)] == [1, 1, 0]


def test_while_the_pool_is_busy_a_reader_keeps_what_it_has(crew: LocalCrew, stream: Tended) -> None:
    readers = Readers(crew, 6, Metrics())
    asked(crew, readers, stream)
    assert stream.call is not None
    crew.wait([stream.call[0]], 30)
    readers.heard(stream)
    readers.ask(stream, stream.asked_at + STEP_S / 2, waiting=1)
    assert stream.call is None
    readers.ask(stream, stream.asked_at + 2 * STEP_S, waiting=1)  # a sign of life, and no batch
    assert stream.call is not None
    crew.wait([stream.call[0]], 30)
    heard = readers.heard(stream)
    assert heard is not None
    assert heard[0].marks == ()
