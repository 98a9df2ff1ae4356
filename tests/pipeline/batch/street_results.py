"""A small data set: what was truly heard in the clip that ships, and who walked through it."""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path

from pipeline.batch.store import Store
from pipeline.batch.tables import EventsSink, FailureRow, failures_bytes, ledger_bytes
from pipeline.ledger import LaneBook, Ledger
from pipeline.records import Event, InstanceMask, Rle, Span

TRUTH = Path(__file__).parents[3] / "examples" / "street.truth.json"
CONFIG = "c0ffee000000"


def write_results(store: Store, config_hash: str = CONFIG) -> None:
    """Two videos, each with sounds and people, and one that could not be opened."""
    truth = json.loads(TRUTH.read_text(encoding="utf-8"))["sounds"]
    for number, (source, day) in enumerate(
        (("gate.mp4", "2026-11-21"), ("yard.mp4", "2026-11-22"))
    ):
        sounds = truth[number::2]
        _video(store, source, day, config_hash, sounds)
    _failed(store, "dark.mp4", config_hash)
    store.write("job.json", json.dumps({"config_hash": config_hash}).encode())


def _video(
    store: Store, source: str, day: str, config_hash: str, sounds: list[dict[str, object]]
) -> None:
    key = f"{source}-{config_hash}"
    names = [f"{table}/source={source}/{key}.parquet" for table in ("events", "ledger")]
    events = [_sound(source, sound) for sound in sounds] + _people(source)
    with store.whole(names[0]) as file:
        sink = EventsSink(file)
        for event in sorted(events, key=lambda event: (event.span.end, event.span.start)):
            sink.write(event)
        sink.close()
    books = {
        "instances": LaneBook("video", 300, 58, 240, 0, Counter(), Counter({"too_dark": 2})),
        "sound": LaneBook("audio", 1_440_000, 1_440_000),
    }
    decoded = Counter(video=300, audio=1_440_000)
    store.write(names[1], ledger_bytes(source, Ledger(decoded, lanes=books), 30.0))
    _commit(store, key, source, day, config_hash, "done", names)


def _failed(store: Store, source: str, config_hash: str) -> None:
    key = f"{source}-{config_hash}"
    name = f"failures/source={source}/{key}.parquet"
    reason = "it is empty (0 bytes); was it copied or recorded to its end?"
    store.write(name, failures_bytes([FailureRow(source, "SourceUnreadable", reason)]))
    _commit(store, key, source, "2026-11-22", config_hash, "failed", [name])


def _commit(
    store: Store, key: str, source: str, day: str, config_hash: str, state: str, files: list[str]
) -> None:
    told = {
        "key": key,
        "source": source,
        "address": f"https://user:secret@store.invalid/{source}",
        "version": "1-1",
        "size_bytes": 1,
        "day": day,
        "config_hash": config_hash,
        "state": state,
        "media_s": 30.0 if state == "done" else 0.0,
        "events": 0,
        "error": None,
        "files": files,
    }
    store.write(f"units/{key}.json", json.dumps(told).encode())


def _sound(source: str, sound: dict[str, object]) -> Event:
    start, end = (Fraction(str(sound[name])) for name in ("start_s", "end_s"))
    return Event(source, "sound", Span(start, end), str(sound["label"]), 1.0, "truth", "0" * 64)


def _people(source: str) -> list[Event]:
    """Two tracks that cross the picture from left to right, five looks a second."""
    events = []
    for track, begin in ((1, 0), (2, 60)):
        for step in range(30):
            left = 10.0 + 20 * step
            box = (left, 100.0, left + 40, 200.0)
            instance = InstanceMask("person", 1.0, box, Rle(576, 768, ""), track)
            start = Fraction(begin + step, 5)
            span = Span(start, start + Fraction(1, 10))
            claim = ("person", 1.0, "truth", "0" * 64)
            events.append(Event(source, "instances", span, *claim, instance=instance))
    return events
