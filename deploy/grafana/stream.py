"""The dashboard of one stream: its life, its books, its events."""

from __future__ import annotations

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from deploy.grafana.frame import Row, alerts, framed, one, outages_of_stream, some
from deploy.grafana.limits import BOOKS, DELAYED, LATE, PLAYS, SOME, STALE, YES_OR_NO
from deploy.grafana.panels import (
    About,
    Ask,
    graph,
    heat,
    number,
    small,
    timeline,
)
from deploy.grafana.queries import RANGE, buckets, grown, of, quantile, rate, some_of, total

STREAM = {"stream": "$stream"}
LANE = STREAM | {"lane": "~$lane"}


def stream() -> Dashboard:
    """One stream, chosen above."""
    return framed(
        "witness-stream",
        "witness: one stream",
        "What became of every frame and sample of a stream, and how late its events are.",
        variables=[
            one("stream", "Stream", of("decoded")),
            some("lane", "Lane", of("analysed", stream="$stream")),
        ],
        marks=[alerts('stream="$stream"'), outages_of_stream()],
        rows=[_now(), _life(), _outages(), _delays(), _results(), _lane()],
    )


def _now() -> Row:
    newest = of("stream_newest_frame_timestamp_seconds", **STREAM)
    return Row(
        "Now",
        [
            number(
                small("State", "Whether the live stream delivers pictures or sound now."),
                Ask(of("stream_up", **STREAM)),
                words=PLAYS,
                absent="not live",
            ),
            number(
                small("Silent for", "Since nothing new came.", "s"),
                Ask(f"time() - ({newest} > 0)"),
                steps=STALE,
            ),
            number(
                small("Lag", "How late its packets come, after its own clock.", "s"),
                Ask(of("stream_lag_seconds", **STREAM)),
                steps=LATE,
            ),
            number(
                small("Behind", "For how long its oldest batch has been under way.", "s"),
                Ask(of("stream_behind_seconds", **STREAM)),
                steps=LATE,
            ),
            *_so_far(),
        ],
    )


def _so_far() -> list[Builder[Panel]]:
    """What happened in the time that is shown."""
    return [
        number(
            small(
                "Sampling lowered by",
                "Steps by which overload has lowered the sampling rate; 0 is the full rate.",
            ),
            Ask(of("stream_rate_level", **STREAM)),
            steps=SOME,
        ),
        number(
            small("Connections", "Made in the time that is shown.", decimals=0),
            Ask(total("", grown("stream_connections", RANGE, **STREAM))),
        ),
        number(
            small("Down for", "Time lost by outages in the time that is shown.", "s"),
            Ask(f"{total('', grown('stream_outage_seconds', RANGE, **STREAM))} or vector(0)"),
            steps=SOME,
        ),
        number(
            small("Events", "Written each minute.", units.EventsPerMinute, decimals=1),
            Ask(f"60 * {total('', rate('events', **STREAM))}"),
        ),
    ]


def _life() -> Row:
    level = of("stream_rate_level", **STREAM)
    return Row(
        "Its life",
        [
            timeline(
                About(
                    "Does it play, in full, and are results written",
                    "Green is good: it plays, it is sampled at the full rate, its results are "
                    "written.",
                    "short",
                    height=7,
                ),
                Ask(of("stream_up", **STREAM), "plays"),
                Ask(f"{level} == bool 0", "sampled in full"),
                Ask(f"1 - {of('sink_failing', **STREAM)}", "results written"),
                words=YES_OR_NO,
            ),
            graph(
                About(
                    "Pictures",
                    "Frames decoded each second.",
                    "suffix:/s",
                    6,
                    7,
                ),
                Ask(total("", rate("decoded", medium="video", **STREAM)), "decoded"),
            ),
            graph(
                About("Sound", "Samples decoded each second.", "suffix:/s", 6, 7),
                Ask(total("", rate("decoded", medium="audio", **STREAM)), "decoded"),
            ),
            *_pace(),
        ],
    )


def _pace() -> list[Builder[Panel]]:
    """How late, how fast, and at what cost."""
    return [
        graph(
            About(
                "Lag, and what is behind",
                "How late packets come, and how old the oldest batch is that is under way.",
                "s",
                8,
            ),
            Ask(of("stream_lag_seconds", **STREAM), "packets late"),
            Ask(of("stream_behind_seconds", **STREAM), "oldest batch"),
            steps=LATE,
        ),
        graph(
            About(
                "Speed",
                "Media seconds gone through each second: a live stream is at 1.",
                "suffix:x",
                8,
            ),
            Ask(total("", rate("media_seconds", **STREAM)), "now"),
            Ask(of("speed_ratio", **STREAM), "a file, since it began"),
        ),
        graph(
            About("Decoding", "Share of a core that decoding takes.", units.PercentUnit, 8),
            Ask(total("medium", rate("decode_seconds", **STREAM)), "{{medium}}"),
            stacked=True,
        ),
    ]


def _outages() -> Row:
    return Row(
        "What broke",
        [
            graph(
                About("Outages", "By what ended the stream.", "short", 6),
                Ask(some_of("reason", "stream_outages", **STREAM), "{{reason}}"),
                bars=True,
            ),
            graph(
                About("Time lost", "By outages.", "s", 6),
                Ask(total("", grown("stream_outage_seconds", **STREAM)), "lost"),
                bars=True,
            ),
            graph(
                About("Readers replaced", "Processes that had to be started again.", "short", 6),
                Ask(some_of("reason", "readers_lost", **STREAM), "{{reason}}"),
                bars=True,
            ),
            graph(
                About(
                    "Damage",
                    "What the decoder could not use, by kind: packets, frames or chunks of sound.",
                    "short",
                    6,
                ),
                Ask(some_of("kind", "decode_troubles", **STREAM), "{{kind}}"),
                bars=True,
            ),
        ],
    )


def _delays() -> Row:
    told = "From the arrival of what decided an event to its writing."
    return Row(
        "How late its events are",
        [
            graph(
                About("Delay of events", told, "s"),
                *(
                    Ask(quantile(share, "event_delay_seconds", **STREAM), f"{share:.0%}")
                    for share in (0.5, 0.95, 0.99)
                ),
                steps=DELAYED,
            ),
            heat(
                About("Delay of events, spread", f"{told} Darker is more events.", "s"),
                buckets("event_delay_seconds", **STREAM),
            ),
        ],
    )


def _results() -> Row:
    return Row(
        "Writing it down",
        [
            graph(
                About(
                    "Under way",
                    "Frames or samples that are decoded and not accounted for yet; 0 at the end.",
                    "short",
                    8,
                ),
                Ask(of("books_open", **LANE), "{{lane}}"),
            ),
            graph(
                About(
                    "Records that wait",
                    "Held in memory because they cannot be written.",
                    "short",
                    8,
                ),
                Ask(of("sink_waiting_records", **STREAM), "records"),
            ),
            graph(
                About(
                    "Failures to write",
                    "Times that writing began to fail.",
                    "short",
                    8,
                ),
                Ask(total("", grown("sink_failures", **STREAM)), "failures"),
                bars=True,
            ),
        ],
    )


def _lane() -> Row:
    return Row(
        "Lane $lane",
        [
            graph(
                About(
                    "The books",
                    "What became of every frame or sample of the lane's medium, each second: "
                    "decoded = analysed + not sampled + gated + dropped + failed.",
                    units.CountsPerSecond,
                ),
                Ask(total("", rate("analysed", **LANE)), "analysed"),
                Ask(total("", rate("not_sampled", **LANE)), "not sampled"),
                Ask(total("", rate("gated", **LANE)), "gated"),
                Ask(total("reason", rate("dropped", **LANE)), "dropped: {{reason}}"),
                Ask(total("reason", rate("failed", **LANE)), "failed: {{reason}}"),
                colours=BOOKS,
                stacked=True,
            ),
            graph(
                About(
                    "Events",
                    "Events written each minute, by label; with exemplar storage, points lead to "
                    "single events by their id.",
                    units.EventsPerMinute,
                ),
                Ask(f"60 * {total('label', rate('events', **LANE))}", "{{label}}"),
                stacked=True,
                exemplars=True,
            ),
        ],
        repeat="lane",
    )
