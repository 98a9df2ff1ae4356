"""Writes the rules for the Prometheus operator: `python -m deploy.kubernetes.build`.

A test compares the file with what this would write, so it cannot fall behind deploy/prometheus.
"""

from __future__ import annotations

from pathlib import Path

import yaml

HERE = Path(__file__).parent
RULES = ("witness.rules.yml", "witness.alerts.yml")
FILE = HERE / "monitoring" / "rules.yaml"
NOTE = (
    "# Written by deploy/kubernetes/build.py (`make docs`) from the rules of deploy/prometheus.\n"
)


def text() -> str:
    """The rules and alerts as one resource."""
    shipped = HERE.parent / "prometheus"
    read = [yaml.safe_load((shipped / name).read_text(encoding="utf-8")) for name in RULES]
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "witness"},
        "spec": {"groups": [group for rules in read for group in rules["groups"]]},
    }
    return NOTE + yaml.safe_dump(resource, sort_keys=False, width=100)


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
