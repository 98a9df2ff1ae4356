"""What a job writes of a video beside its tables: lines, COCO, the annotated video, the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from pipeline.batch.store import Store
from pipeline.lane import Lane
from pipeline.ledger import Ledger
from pipeline.records import StreamInfo
from pipeline.sinks.base import Sink
from pipeline.sinks.coco import CocoSink
from pipeline.sinks.jsonl import JsonlSink, read_events
from pipeline.whole import LoneFile

Form = Literal["features", "jsonl", "coco", "overlay", "report"]
FORMS: tuple[Form, ...] = ("features", "jsonl", "coco", "overlay", "report")
FEATURES: Form = "features"
ENDINGS: dict[Form, str] = {
    "features": "parquet",
    "jsonl": "jsonl",
    "coco": "json",
    "overlay": "mp4",
    "report": "html",
}
DRAWN = frozenset({"overlay", "report"})
COPIED_BYTES = 2**20


class Also:
    """The further files of one video; `named` gives a file's name in the store, and notes it.

    What is written while events come appears when `files` is closed. Pictures are drawn by a second
    decode, from rows that wait in a temporary folder.
    """

    def __init__(
        self,
        forms: Sequence[Form],
        store: Store,
        named: Callable[[str, str], str],
        files: ExitStack,
    ) -> None:
        self._forms = forms
        self._store = store
        self._named = named
        self._files = files
        self._aside = ExitStack()
        self._rows: LoneFile | None = None

    def sinks(self) -> Iterator[Sink]:
        """Those that take events."""
        if "jsonl" in self._forms:
            yield JsonlSink(self._files.enter_context(self._store.whole(self._name("jsonl"))))
        if "coco" in self._forms:
            yield CocoSink(self._files.enter_context(self._store.whole(self._name("coco"))))
        if DRAWN.intersection(self._forms):
            folder = self._aside.enter_context(TemporaryDirectory(prefix="witness-"))
            self._rows = LoneFile(Path(folder) / "events.jsonl")
            yield JsonlSink(self._rows)

    def close(self) -> None:
        """Removes the temporary folder."""
        self._aside.close()

    def draw(
        self, address: str, info: StreamInfo, lanes: Sequence[Lane], ledger: Ledger, media_s: float
    ) -> None:
        """The annotated video and the report, if wanted; SourceError when it is not to be read."""
        if self._rows is None:
            return
        self._rows.appear()
        rows, folder = self._rows.path, self._rows.path.parent
        if "overlay" in self._forms and info.video is not None:
            from pipeline.sinks.overlay import render_overlay

            video = folder / "annotated.mp4"
            render_overlay(address, info, read_events(rows), video)
            self._keep("overlay", video)
        if "report" in self._forms:
            from pipeline.sinks.report import render_report

            page = folder / "report.html"
            summary = _summary(info, lanes, ledger, media_s)
            render_report(address, info, read_events(rows), summary, page)
            self._keep("report", page)

    def _keep(self, form: Form, drawn: Path) -> None:
        if not drawn.is_file():  # a header that claims pictures and brings none
            return
        with self._store.whole(self._name(form)) as kept, drawn.open("rb") as read:
            while data := read.read(COPIED_BYTES):
                kept.write(data)

    def _name(self, form: Form) -> str:
        return self._named(form, ENDINGS[form])


def _summary(
    info: StreamInfo, lanes: Sequence[Lane], ledger: Ledger, media_s: float
) -> dict[str, Any]:
    """What the report says of the run: nothing that another run of the same job would not say."""
    return {
        "stream": info.stream,
        "source": info.source,
        "media_s": media_s,
        "lanes": [
            {
                "name": lane.name,
                "model": lane.card.name,
                "sha256": lane.card.sha256,
                "labels": list(lane.card.labels),
            }
            for lane in lanes
        ],
        "ledger": ledger.to_json(),
    }
