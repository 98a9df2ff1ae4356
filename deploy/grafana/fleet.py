"""The dashboard of all streams: what is alive, how fresh, what is lost, what happened."""

from __future__ import annotations

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from deploy.grafana.frame import Row, alerts, framed, outages_of_fleet
from deploy.grafana.limits import ANY, BAD, LATE, LITTLE_LEFT, LOST, PLAYS, STALE, USED
from deploy.grafana.panels import (
    TO_STREAM,
    About,
    Ask,
    Column,
    graph,
    labels_of,
    levels,
    number,
    rows_of,
    small,
    timeline,
)
from deploy.grafana.queries import (
    ALERTS,
    RANGE,
    grown,
    lost,
    of,
    rate,
    share_of_wanted,
    total,
)
from deploy.grafana.troubles import breaks, losses

AGE = f"time() - ({of('stream_newest_frame_timestamp_seconds')} > 0)"
"""For how long nothing new came from a live stream."""
LOST_SHARE = share_of_wanted(lost(), "stream, lane")
FREE = f"{of('disk_free_bytes')} / {of('disk_size_bytes')}"
FIRING = f'{ALERTS}{{alertstate="firing"}}'
SERIES_LINK = TO_STREAM.format("${__field.labels.stream}")
CELL_LINK = TO_STREAM.format("${__value.raw}")


def fleet() -> Dashboard:
    """All streams at once."""
    return framed(
        "witness-fleet",
        "witness: fleet",
        "Is every stream alive, how fresh, how far behind, and what was lost. A click on a stream "
        "leads to its own dashboard.",
        variables=[],
        marks=[alerts(), outages_of_fleet()],
        rows=[_now(), _streams(), _late(), losses(), breaks(), _found(), _written()],
    )


def _now() -> Row:
    up = of("stream_up")
    return Row(
        "Now",
        [
            number(
                small("Streams that play", "Live streams that deliver pictures or sound now."),
                Ask(f"sum({up})"),
                absent="none",
            ),
            number(
                small("Streams down", "Live streams that are wanted and do not play."),
                Ask(f"count({up}) - sum({up})"),
                steps=ANY,
                absent="none",
            ),
            number(
                small("Longest silence", "Of all live streams: since nothing new came.", "s"),
                Ask(f"max({AGE})"),
                steps=STALE,
            ),
            number(
                small("Latest packets", "Of all streams: how late packets come at worst.", "s"),
                Ask(f"max({of('stream_lag_seconds')})"),
                steps=LATE,
            ),
            *_results(),
        ],
    )


def _results() -> list[Builder[Panel]]:
    """What is lost, found and told, and whether there is room for it."""
    return [
        number(
            small(
                "Worst loss",
                "Of all streams and lanes: the share of the wanted frames or samples that is "
                "being lost. A sampling rate that overload lowers is no loss.",
                units.PercentUnit,
            ),
            Ask(f"max({LOST_SHARE}) or vector(0)"),
            steps=LOST,
        ),
        number(
            small("Events", "Events written each minute.", units.EventsPerMinute, decimals=1),
            Ask(f"60 * {total('', rate('events'))}"),
        ),
        number(
            small("Alerts", "Alerts that fire, by Prometheus' rules."),
            Ask(f"count({FIRING}) or vector(0)"),
            steps=ANY,
        ),
        number(
            small("Least disk free", "Where results go.", units.PercentUnit, decimals=0),
            Ask(f"min({FREE})"),
            steps=LITTLE_LEFT,
        ),
    ]


def _streams() -> Row:
    return Row(
        "Streams",
        [
            timeline(
                About(
                    "Is every stream alive",
                    "Green while a live stream plays, red while it does not; twenty to a page.",
                    "short",
                    height=10,
                ),
                Ask(of("stream_up"), "{{stream}}"),
                words=PLAYS,
            ),
            rows_of(
                About(
                    "Every stream",
                    "What is so now; outages, time lost and connections are those of the time "
                    "that is shown. Streams that are down come first.",
                    "short",
                    height=10,
                ),
                "stream",
                "Stream",
                _columns(),
                link=CELL_LINK,
                sort="State",
            ),
        ],
    )


def _columns() -> list[Column]:
    """What is told of every stream."""
    down_for = grown("stream_outage_seconds", RANGE)
    return [
        Column("State", f"max by (stream) ({of('stream_up')})", words=PLAYS),
        Column("Silent for", f"max by (stream) ({AGE})", "s", STALE, decimals=1),
        Column(
            "Frames/s",
            total("stream", rate("decoded", medium="video")),
            decimals=1,
        ),
        Column("Lost", f"max by (stream) ({LOST_SHARE})", units.PercentUnit, LOST),
        Column("Outages", total("stream", grown("stream_outages", RANGE)), decimals=0),
        Column("Down for", total("stream", down_for), "s", decimals=0),
        Column(
            "Connections",
            total("stream", grown("stream_connections", RANGE)),
            decimals=0,
        ),
    ]


def _late() -> Row:
    behind = of("stream_behind_seconds")
    return Row(
        "Fresh, and in time: the ten worst streams at each moment",
        [
            graph(
                About("Silence", "Since nothing new came from a live stream.", "s", 8),
                Ask(f"topk(10, max by (stream) ({AGE}))", "{{stream}}"),
                steps=STALE,
                link=SERIES_LINK,
            ),
            graph(
                About("Lag", "How late a stream's packets come, after its own clock.", "s", 8),
                Ask(f"topk(10, max by (stream) ({of('stream_lag_seconds')}))", "{{stream}}"),
                steps=LATE,
                link=SERIES_LINK,
            ),
            graph(
                About(
                    "Behind",
                    "For how long the oldest batch of a stream has been under way: it grows when "
                    "the networks cannot keep up.",
                    "s",
                    8,
                ),
                Ask(f"topk(10, max by (stream) ({behind}))", "{{stream}}"),
                steps=LATE,
                link=SERIES_LINK,
            ),
        ],
    )


def _found() -> Row:
    return Row(
        "What was found",
        [
            graph(
                About(
                    "Events by label",
                    "Events written each minute: the ten most frequent labels of all lanes.",
                    units.EventsPerMinute,
                ),
                Ask(
                    f"topk(10, 60 * {total('lane, label', rate('events'))})", "{{lane}}: {{label}}"
                ),
                stacked=True,
            ),
            labels_of(
                About("Alerts that fire", "By the rules of deploy/prometheus.", "short"),
                FIRING,
                {
                    "alertname": "Alert",
                    "severity": "Severity",
                    "stream": "Stream",
                    "instance": "Instance",
                },
                ("alertstate", "page"),
            ),
        ],
    )


def _written() -> Row:
    return Row(
        "Writing it down",
        [
            levels(
                About("Disk used", "Of the disks where results go.", units.PercentUnit, 8),
                Ask(f"1 - {FREE}", "{{instance}} {{place}}"),
                steps=USED,
                highest=1,
            ),
            graph(
                About("Disk free", "Space left where results go.", units.BytesIEC, 8),
                Ask(of("disk_free_bytes"), "{{instance}} {{place}}"),
            ),
            graph(
                About(
                    "Results that cannot be written",
                    "Streams whose results fail to be written now, and records that wait in "
                    "memory for that.",
                    "short",
                    8,
                ),
                Ask(f"sum({of('sink_failing')})", "streams"),
                Ask(f"sum({of('sink_waiting_records')})", "records"),
                colours={"streams": BAD},
            ),
        ],
    )
