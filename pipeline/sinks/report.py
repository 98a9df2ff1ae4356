"""`report.html`: one self-contained page that shows what was seen and heard, and the evidence."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from pipeline.errors import SourceUnreadable
from pipeline.media.audio import Resampler
from pipeline.media.decode import Decoder
from pipeline.media.peek import frames_at
from pipeline.records import AudioChunk, Event, StreamInfo, VideoInfo
from pipeline.sinks import report_data
from pipeline.sinks.instants import Instant, instants
from pipeline.sinks.pictures import WIDEST_PX, address_of, encoded, jpeg, worth_a_picture
from pipeline.sinks.spectrogram import RATE_HZ, spectrogram
from pipeline.whole import whole_file

_PAGE = Path(__file__).with_name("page")
_SCRIPTS = (
    "format.js",
    "mask.js",
    "sound.js",
    "facts.js",
    "stage.js",
    "timeline.js",
    "tables.js",
    "main.js",
)
_PICTURE_BUDGET_BYTES = 3_000_000

Progress = Callable[[Fraction], None]


def render_report(
    source: str,
    info: StreamInfo,
    events: Iterable[Event],
    summary: Mapping[str, Any],
    out: Path,
    *,
    truth: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    on_progress: Progress | None = None,
) -> None:
    """Writes `out`, whole or not at all: about 5 MB at most, however long the source is.

    The page needs no network and asks for none. At most 120 pictures are kept; what was thinned
    is said in the page. `summary` is what the run says of itself, any key may be missing; `truth`
    holds planted sounds (`start_s`, `end_s`, `label`) to draw beside the found ones. Decodes the
    source again: its sound once, and the frames of the kept pictures.
    """
    data = _gathered(source, info, list(events), summary, truth, on_progress)
    page = page_of(data, title=f"{data['name']} - witness")
    with whole_file(out) as part:
        part.write_text(page, encoding="utf-8")


def page_of(data: Mapping[str, Any], title: str) -> str:
    """The page around its data. Scripts and styles are allowed by their digests alone."""
    style = (_PAGE / "report.css").read_text(encoding="utf-8")
    body = "\n".join((_PAGE / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    script = f'"use strict";\n(() => {{\n{body}\n}})();'
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )
    skeleton = Template((_PAGE / "report.html").read_text(encoding="utf-8"))
    return skeleton.substitute(
        policy=policy, title=escape(title), style=style, script=script, data=embedded(data)
    )


def embedded(data: Mapping[str, Any]) -> str:
    """JSON that cannot end the script element around it, whatever the labels say."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), default=str)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _gathered(
    source: str,
    info: StreamInfo,
    events: list[Event],
    summary: Mapping[str, Any],
    truth: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
    on_progress: Progress | None,
) -> dict[str, Any]:
    notes: list[str] = []
    models = report_data.Models()
    moments = instants(events)
    spans = [event for event in events if event.instance is None]
    duration = _duration(info, events, summary)
    tracks, places = report_data.track_rows(moments, models, notes)
    wanted = _wanted(info.video, moments, spans, duration) if info.video else []
    width = min(WIDEST_PX, info.video.width) if info.video else WIDEST_PX
    frames = frames_at(source, wanted, width) if wanted else iter(())
    kept = encoded(_told(frames, on_progress), len(wanted), _PICTURE_BUDGET_BYTES)
    pictures: list[dict[str, Any]] = []
    with _told_if_unreadable("No picture could be decoded", notes):
        pictures = report_data.picture_rows(kept, moments, places, notes)
    _note_thinning(len(pictures), len({moment.span.start for moment in moments}), notes)
    sound = None
    if info.audio:
        with _told_if_unreadable("No sound could be decoded", notes):
            sound = _sound(source, info, duration)
    return {
        "name": Path(info.source).name or info.source,
        "source": info.source,
        "stream": info.stream,
        "media": report_data.media_words(info),
        "duration": float(duration),
        "colours": report_data.colours(events),
        "spans": report_data.span_rows(spans, models, notes),
        "tracks": tracks,
        "totals": report_data.totals(moments, spans),
        "counts": report_data.counts_over_time(moments, duration),
        "video": [info.video.width, info.video.height] if info.video else None,
        "pictures": pictures,
        "sound": sound,
        "models": models.rows(),
        "truth": _planted(truth),
        "summary": dict(summary),
        "notes": notes,
    }


def _wanted(
    video: VideoInfo, moments: Sequence[Instant], spans: Sequence[Event], duration: Fraction
) -> list[Fraction]:
    rate = video.rate_from_header
    return worth_a_picture(moments, spans, duration, 1 / rate if rate else Fraction(0))


@contextmanager
def _told_if_unreadable(what: str, notes: list[str]) -> Iterator[None]:
    """Turns a medium that cannot be decoded into a note: the rest is still worth a report."""
    try:
        yield
    except SourceUnreadable as error:
        notes.append(f"{what}: {error}")


def _duration(info: StreamInfo, events: list[Event], summary: Mapping[str, Any]) -> Fraction:
    claimed = info.duration_from_header or Fraction(0)
    ran = Fraction(summary.get("media_s") or 0).limit_denominator(1_000_000)
    last = max((event.span.end for event in events), default=Fraction(0))
    return max(ran or claimed, last, Fraction(1, 10))


def _told(frames: Iterable[tuple[Fraction, Any]], on_progress: Progress | None) -> Iterator[Any]:
    for time, picture in frames:
        yield time, picture
        if on_progress is not None:
            on_progress(time)


def _note_thinning(pictures: int, moments: int, notes: list[str]) -> None:
    if moments > pictures:
        notes.append(
            f"{moments} frames with something in them were analysed; {pictures} pictures are kept "
            "here. Bars and counts use every observation; a click shows the nearest kept picture."
        )


def _sound(source: str, info: StreamInfo, duration: Fraction) -> dict[str, Any]:
    heard = spectrogram(_mono(source, info), duration)
    return {
        "src": address_of(jpeg(heard.levels, 78)),
        "lowest_hz": heard.lowest_hz,
        "highest_hz": heard.highest_hz,
    }


def _mono(source: str, info: StreamInfo) -> Iterator[AudioChunk]:
    resampler = Resampler(RATE_HZ)
    with Decoder(source, info.stream, media={"audio"}) as decoder:
        for item in decoder.items():
            if isinstance(item, AudioChunk):
                yield from resampler.push(item)
        yield from resampler.flush()


def _planted(
    truth: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
) -> list[dict[str, Any]]:
    """The planted sounds of a truth file: a list, or the first list of spans in a mapping."""
    if isinstance(truth, Mapping):
        lists = [value for value in truth.values() if isinstance(value, list)]
        truth = next((rows for rows in lists if rows and "start_s" in rows[0]), [])
    return [
        {"a": float(row["start_s"]), "b": float(row["end_s"]), "label": str(row["label"])}
        for row in truth or ()
    ]


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
