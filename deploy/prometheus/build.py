"""Writes the rules for Prometheus from the table of metrics: part of `make docs`.

A test compares the files with what this script would write. `--runbooks ADDRESS` makes alerts lead
to where you serve docs/runbooks; without it they name the page as it lies in the repository.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from deploy.prometheus.alerts import SHARED_ALERTS, STREAM_ALERTS, Alert
from deploy.prometheus.series import RECORDS

HERE = Path(__file__).parent
RUNBOOKS = "docs/runbooks"
HEAD = "# Written by build.py from pipeline/metrics.py (`make docs`): change it there.\n"
# Of the 15 s from a fault to its message up to 5 go into scraping, 1 into looking at what was
# scraped, 5 into waiting whether it passes, and 3 into Alertmanager.
STREAMS_EVERY = "1s"


def files(runbooks: str = RUNBOOKS) -> dict[str, str]:
    """What belongs into each file of rules, by its name."""
    records = [{"record": record.name, "expr": record.expr} for record in RECORDS]
    streams = [_rule(alert, runbooks) for alert in STREAM_ALERTS]
    shared = [_rule(alert, runbooks) for alert in SHARED_ALERTS]
    return {
        "witness.rules.yml": _text([{"name": "witness_series", "rules": records}]),
        "witness.alerts.yml": _text(
            [
                {"name": "witness_streams", "interval": STREAMS_EVERY, "rules": streams},
                {"name": "witness_shared", "rules": shared},
            ]
        ),
    }


def _rule(alert: Alert, runbooks: str) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": alert.lasts,
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": f"{runbooks.rstrip('/')}/{alert.name}.md",
        },
    }


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such."""


def _lines(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    )


_Dumper.add_representer(str, _lines)


def _text(groups: Sequence[dict[str, Any]]) -> str:
    return HEAD + yaml.dump({"groups": list(groups)}, Dumper=_Dumper, sort_keys=False, width=1000)


def main() -> None:
    """Writes the files beside this one."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--runbooks", default=RUNBOOKS, help="where alerts lead to")
    for name, text in files(asked.parse_args().runbooks).items():
        (HERE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
