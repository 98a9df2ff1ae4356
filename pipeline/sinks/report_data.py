"""What the report shows, as plain data: events, tracks, counts; bounded, and it says where."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from pipeline.records import Event, Span, StreamInfo
from pipeline.sinks.instants import Instant, Seen
from pipeline.sinks.palette import ink_on, label_colours, track_colour
from pipeline.sinks.pictures import Encoded, track_key

MOST_SPANS = 2000
MOST_TRACKS = 400
MOST_MASK_CHARACTERS = 900_000
_COUNT_BINS = 600

Notes = list[str]


class Models:
    """Numbers the networks that made the events, so that each digest is written once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], int] = {}

    def number(self, event: Event) -> int:
        """The place of this event's network in `rows`."""
        return self._known.setdefault((event.model, event.model_sha256), len(self._known))

    def rows(self) -> list[dict[str, str]]:
        """Every network met so far."""
        return [{"name": name, "sha256": digest} for name, digest in self._known]


def colours(events: Iterable[Event]) -> dict[str, dict[str, str]]:
    """Fill and ink of every label."""
    found = label_colours(event.label for event in events)
    return {label: {"fill": fill, "ink": ink_on(fill)} for label, fill in found.items()}


def span_rows(events: Sequence[Event], models: Models, notes: Notes) -> list[dict[str, Any]]:
    """The labelled stretches of time by start; the surest `MOST_SPANS` when there are more."""
    kept = sorted(events, key=lambda one: -one.score)[:MOST_SPANS]
    if len(kept) < len(events):
        notes.append(
            f"{len(events)} labelled spans were found; the {MOST_SPANS} with the highest "
            "scores are shown here. The rows hold them all."
        )
    kept.sort(key=lambda one: (one.span.start, one.span.end, one.lane, one.label))
    return [
        {
            "lane": event.lane,
            "label": event.label,
            "score": round(event.score, 4),
            "model": models.number(event),
            **times(event.span),
        }
        for event in kept
    ]


def totals(moments: Sequence[Instant], spans: Sequence[Event]) -> dict[str, Any]:
    """How much was found before anything was left out: tracks a label, spans and seconds."""
    tracks = Counter(
        label for _, label, _ in {track_key(one) for moment in moments for one in moment.seen}
    )
    lengths: dict[str, list[Fraction]] = defaultdict(list)
    for event in spans:
        lengths[f"{event.lane} {event.label}"].append(event.span.duration)
    heard = {key: [len(found), float(sum(found))] for key, found in lengths.items()}
    return {"tracks": dict(tracks), "spans": heard}


def times(span: Span) -> dict[str, Any]:
    """A span as decimals to draw with and as the exact fractions to quote."""
    return {
        "a": round(float(span.start), 6),
        "b": round(float(span.end), 6),
        "start": str(span.start),
        "end": str(span.end),
    }


def track_rows(
    moments: Sequence[Instant], models: Models, notes: Notes
) -> tuple[list[dict[str, Any]], dict[tuple[str, str, int | None], int]]:
    """One row per track by first sight, and where each track is in the list.

    What carries no track id is one row per label. With more than `MOST_TRACKS` the longest seen
    are kept.
    """
    seen: dict[tuple[str, str, int | None], list[tuple[Span, Seen]]] = defaultdict(list)
    for moment in moments:
        for one in moment.seen:
            seen[track_key(one)].append((moment.span, one))
    kept = sorted(seen, key=lambda key: -len(seen[key]))[:MOST_TRACKS]
    if len(kept) < len(seen):
        notes.append(
            f"{len(seen)} tracks were followed; the {MOST_TRACKS} seen most often are drawn. "
            "The rows hold them all."
        )
    kept.sort(key=lambda key: (seen[key][0][0].start, key[1], key[2] or 0))
    rows = [_track_row(key, seen[key], models) for key in kept]
    return rows, {key: number for number, key in enumerate(kept)}


def _track_row(
    key: tuple[str, str, int | None], seen: list[tuple[Span, Seen]], models: Models
) -> dict[str, Any]:
    lane, label, track_id = key
    spans = [span for span, _ in seen]
    best = max(seen, key=lambda pair: pair[1].instance.score)
    fill = None if track_id is None else track_colour(track_id)
    return {
        "lane": lane,
        "label": label,
        "id": track_id,
        "fill": fill,
        "ink": ink_on(fill) if fill else None,
        "seen": len({span.start for span in spans}),
        "score": round(best[1].instance.score, 4),
        "best": round(float(best[0].start), 6),
        "model": models.number(best[1].event),
        "parts": [[float(part.start), float(part.end)] for part in merged(spans)],
        **times(Span(spans[0].start, max(span.end for span in spans))),
    }


def merged(spans: Iterable[Span], gap: Fraction = Fraction(1, 4)) -> list[Span]:
    """Spans that start in order, joined where at most `gap` lies between two."""
    out: list[Span] = []
    for span in spans:
        if out and span.start - out[-1].end <= gap:
            out[-1] = Span(out[-1].start, max(out[-1].end, span.end))
        else:
            out.append(span)
    return out


def counts_over_time(moments: Sequence[Instant], duration: Fraction) -> dict[str, list[int]]:
    """How many of each label were in sight at once: the most in each of up to 600 equal bins."""
    bins = _COUNT_BINS
    out: dict[str, list[int]] = {}
    for moment in moments:
        first = int(moment.span.start / duration * bins)
        last = max(first + 1, -int(-moment.span.end / duration * bins // 1))
        for label, count in Counter(one.instance.label for one in moment.seen).items():
            row = out.setdefault(label, [0] * bins)
            for number in range(first, min(last, bins)):
                row[number] = max(row[number], count)
    return dict(sorted(out.items(), key=lambda pair: -sum(pair[1])))


def picture_rows(
    pictures: Iterable[Encoded],
    moments: Sequence[Instant],
    tracks: Mapping[tuple[str, str, int | None], int],
    notes: Notes,
) -> list[dict[str, Any]]:
    """The kept pictures with the masks that stand at their times."""
    left = MOST_MASK_CHARACTERS
    rows, next_moment = [], 0
    standing: dict[str, Instant] = {}
    dropped = 0
    for picture in pictures:
        while next_moment < len(moments) and moments[next_moment].span.start <= picture.time:
            standing[moments[next_moment].lane] = moments[next_moment]
            next_moment += 1
        shown = []
        for moment in standing.values():
            if picture.time >= moment.span.end:
                continue
            for one in moment.seen:
                left -= len(one.instance.rle.counts)
                if left < 0:
                    dropped += 1
                elif track_key(one) in tracks:
                    shown.append(_mask_row(one, tracks[track_key(one)]))
        rows.append(
            {
                "t": round(float(picture.time), 6),
                "time": str(picture.time),
                "size": [picture.width, picture.height],
                "src": picture.address,
                "masks": shown,
            }
        )
    if dropped:
        notes.append(f"{dropped} masks of the kept pictures are left out to bound this page.")
    return rows


def _mask_row(one: Seen, track: int) -> dict[str, Any]:
    rle = one.instance.rle
    return {
        "track": track,
        "score": round(one.instance.score, 4),
        "box": [round(float(edge), 1) for edge in one.instance.box],
        "rle": [rle.height, rle.width, rle.counts],
        **times(one.event.span),
    }


def media_words(info: StreamInfo) -> list[str]:
    """What the header claims of the source, in a few words a medium."""
    out = []
    if info.video is not None:
        rate = info.video.rate_from_header
        shown = f", {float(rate):g} frames/s" if rate else ""
        out.append(f"{info.video.codec} {info.video.width} \u00d7 {info.video.height}{shown}")
    if info.audio is not None:
        kilo = f"{info.audio.sample_rate / 1000:g} kHz"
        out.append(f"{info.audio.codec} {kilo} {info.audio.layout}")
    return out
