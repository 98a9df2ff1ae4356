"""The rows of the fleet's dashboard that tell what is lost, and what broke."""

from __future__ import annotations

from grafana_foundation_sdk.models import units

from deploy.grafana.frame import Row
from deploy.grafana.panels import About, Ask, graph
from deploy.grafana.queries import grown, share_of_wanted, some_of, total


def losses() -> Row:
    """What was wanted and is not there."""
    dropped, failed = grown("dropped"), grown("failed")
    return Row(
        "What is lost",
        [
            graph(
                About(
                    "Dropped, by reason",
                    "The share of the frames or samples wanted by a lane that was given up, and "
                    "why. What a sampler or a gate leaves out was not wanted.",
                    units.PercentUnit,
                    8,
                ),
                Ask(share_of_wanted(dropped, "lane", "reason", failed), "{{lane}}: {{reason}}"),
            ),
            graph(
                About(
                    "Failed, by reason",
                    "The share of the frames or samples wanted by a lane that a network or a "
                    "reader failed on, and why.",
                    units.PercentUnit,
                    8,
                ),
                Ask(share_of_wanted(failed, "lane", "reason", dropped), "{{lane}}: {{reason}}"),
            ),
            graph(
                About(
                    "Damage",
                    "What decoders could not use, by kind: packets, frames or chunks of sound.",
                    "short",
                    8,
                ),
                Ask(some_of("kind", "decode_troubles"), "{{kind}}"),
                bars=True,
            ),
        ],
    )


def breaks() -> Row:
    """What ended, died or failed, and how often."""
    return Row(
        "What broke",
        [
            graph(
                About("Outages", "Live streams that ended, by what ended them.", "short", 6),
                Ask(some_of("reason", "stream_outages"), "{{reason}}"),
                bars=True,
            ),
            graph(
                About(
                    "Readers replaced",
                    "Processes that read a stream and had to be started again, by reason.",
                    "short",
                    6,
                ),
                Ask(some_of("reason", "readers_lost"), "{{reason}}"),
                bars=True,
            ),
            graph(
                About("Sources that failed", "Files and streams given up, by reason.", "short", 6),
                Ask(some_of("reason", "sources_failed"), "{{reason}}"),
                bars=True,
            ),
            graph(
                About(
                    "Books that do not close",
                    "Ends of a stream at which frames or samples were unaccounted for. Always a "
                    "defect: please report it.",
                    "short",
                    6,
                ),
                Ask(total("instance", grown("books_not_closed")), "{{instance}}"),
                bars=True,
            ),
        ],
    )
