"""The dashboard of offline jobs: how far, how fast, what failed."""

from __future__ import annotations

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from deploy.grafana.frame import Row, alerts, framed, some
from deploy.grafana.limits import ANY, BAD, BLUE, GOOD, LOST, STATES, STILL
from deploy.grafana.panels import About, Ask, graph, levels, number, small
from deploy.grafana.queries import grown, of, rate, total

JOB = {"instance": "~$instance"}
WIDE = 4


def jobs() -> Dashboard:
    """Offline jobs."""
    return framed(
        "witness-jobs",
        "witness: batch jobs",
        "How far `witness batch` is, how fast it goes, what failed, and what the scan missed.",
        variables=[some("instance", "Job", of("job_videos"))],
        marks=[alerts('stream=""')],
        rows=[_now(), _progress(), _speed(), _trouble(), _audit()],
    )


def _now() -> Row:
    return Row(
        "Now",
        [
            number(
                small("Videos left", "That no result was written of so far.", width=WIDE),
                Ask(f"sum({of('job_videos', state='todo', **JOB)})"),
                absent="no job",
            ),
            number(
                small("Videos done", "By this run, well and in full.", width=WIDE),
                Ask(f"sum({of('job_videos', state='done', **JOB)})"),
                absent="no job",
            ),
            number(
                small(
                    "Failed or in part",
                    "Videos with trouble; `witness query RESULTS 'select * from failures'` tells.",
                    width=WIDE,
                ),
                Ask(f"sum({of('job_videos', state='~failed|partial', **JOB)})"),
                steps=ANY,
                absent="no job",
            ),
            *_pace(),
        ],
    )


def _pace() -> list[Builder[Panel]]:
    """How fast the job goes, and for how long it will."""
    return [
        number(
            small(
                "Speed",
                "Seconds of media for each second, since the job began.",
                "suffix:x",
                width=WIDE,
                decimals=1,
            ),
            Ask(f"sum({of('job_speed_ratio', **JOB)})"),
            absent="no job",
        ),
        number(
            small("Time left", "By the sizes of the videos.", "s", width=WIDE),
            Ask(f"max({of('job_left_seconds', **JOB)})"),
            absent="not known",
        ),
        number(
            small(
                "Without progress for",
                "Since the job last brought something to its end.",
                "s",
                width=WIDE,
            ),
            Ask(f"max(time() - {of('job_progress_timestamp_seconds', **JOB)})"),
            steps=STILL,
            absent="no job",
        ),
    ]


def _progress() -> Row:
    states = "~before|done|partial|failed"
    finished = total("instance", of("job_videos", state=states, **JOB))
    return Row(
        "How far",
        [
            graph(
                About("Videos by state", "Of the whole job; `before` by earlier runs.", "short"),
                Ask(total("state", of("job_videos", **JOB)), "{{state}}"),
                colours=STATES,
                stacked=True,
            ),
            levels(
                About("Finished", "Share of each job's videos.", units.PercentUnit, 6),
                Ask(f"{finished} / {total('instance', of('job_videos', **JOB))}", "{{instance}}"),
                steps=(BLUE, (1, GOOD)),
                highest=1,
            ),
            graph(
                About("Time left", "By the sizes of the videos.", "s", 6),
                Ask(of("job_left_seconds", **JOB), "{{instance}}"),
            ),
        ],
    )


def _speed() -> Row:
    return Row(
        "How fast",
        [
            graph(
                About("Speed", "Seconds of media for each second.", "suffix:x", 8),
                Ask(total("instance", rate("job_media_seconds", **JOB)), "{{instance}} now"),
                Ask(of("job_speed_ratio", **JOB), "{{instance}} since it began"),
            ),
            graph(
                About(
                    "Units under way",
                    "Videos, or parts of long ones, that workers are at.",
                    "short",
                    8,
                ),
                Ask(of("job_units_running", **JOB), "{{instance}}"),
            ),
            graph(
                About("Events", "Written each minute.", units.EventsPerMinute, 8),
                Ask(f"60 * {total('instance', rate('job_events', **JOB))}", "{{instance}}"),
            ),
        ],
    )


def _trouble() -> Row:
    return Row(
        "What failed",
        [
            graph(
                About("Videos that failed", "In full, and in part.", "short"),
                Ask(total("state", of("job_videos", state="~failed|partial", **JOB)), "{{state}}"),
                colours=STATES,
                stacked=True,
            ),
            graph(
                About(
                    "Workers lost",
                    "Processes that died; what they were at begins again.",
                    "short",
                ),
                Ask(total("instance", grown("job_workers_lost", **JOB)), "{{instance}}"),
                bars=True,
            ),
        ],
    )


def _audit() -> Row:
    missed = f"sum({of('job_audit_missed_groups', **JOB)})"
    looked_at = f"sum({of('job_audited_groups', **JOB)})"
    told = "Some of the groups of pictures that the scan skipped are looked at all the same"
    return Row(
        "What the scan missed",
        [
            number(
                About(
                    "Share missed",
                    f"{told}: the share that should not have been skipped.",
                    units.PercentUnit,
                    6,
                    decimals=2,
                ),
                Ask(f"({missed} or vector(0)) / ({looked_at} > 0)"),
                steps=LOST,
                absent="none looked at",
            ),
            number(
                About("Groups", f"{told}: how many, and how many were missed.", "short", 6),
                Ask(f"{looked_at} or vector(0)", "looked at"),
                Ask(f"{missed} or vector(0)", "missed"),
            ),
            graph(
                About("Groups looked at, and missed", f"{told}.", "short"),
                Ask(total("instance", grown("job_audited_groups", **JOB)), "looked at"),
                Ask(total("instance", grown("job_audit_missed_groups", **JOB)), "missed"),
                colours={"missed": BAD},
                bars=True,
            ),
        ],
    )
