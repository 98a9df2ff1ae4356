"""Writes the dashboards, and what makes a Grafana load them: `python -m deploy.grafana.build`.

A test compares the files with what this would write, so none can fall behind the table of metrics.
"""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.fleet import fleet
from deploy.grafana.frame import SOURCE_NAME, SOURCE_UID
from deploy.grafana.jobs import jobs
from deploy.grafana.pools import pools
from deploy.grafana.stream import stream

HERE = Path(__file__).parent
SCRAPES = HERE.parent / "prometheus" / "prometheus.yml"
SERVED_FROM = "/var/lib/grafana/dashboards/witness"
NOTE = "# Written by deploy/grafana/build.py (`make docs`): change the code, not this file.\n"


def dashboards() -> dict[str, Dashboard]:
    """Every dashboard, by the name of its file."""
    return {"fleet": fleet(), "stream": stream(), "pools": pools(), "jobs": jobs()}


def files() -> dict[str, str]:
    """The text of every file, by its path from here."""
    told = {
        f"dashboards/{name}.json": json.dumps(made, cls=JSONEncoder, indent=2, sort_keys=True)
        + "\n"
        for name, made in dashboards().items()
    }
    told["provisioning/datasources/witness.yaml"] = NOTE + yaml.safe_dump(_source())
    told["provisioning/dashboards/witness.yaml"] = NOTE + yaml.safe_dump(_folder())
    return told


def _source() -> dict[str, object]:
    """Prometheus; `timeInterval` has to be the period of the scrapes, or rates come out empty."""
    scrapes = yaml.safe_load(SCRAPES.read_text(encoding="utf-8"))
    source = {
        "name": SOURCE_NAME,
        "uid": SOURCE_UID,
        "type": "prometheus",
        "access": "proxy",
        "url": "http://127.0.0.1:9090",
        "isDefault": False,
        "editable": False,
        "jsonData": {
            "httpMethod": "POST",
            "prometheusType": "Prometheus",
            "timeInterval": scrapes["global"]["scrape_interval"],
        },
    }
    return {"apiVersion": 1, "datasources": [source]}


def _folder() -> dict[str, object]:
    """Where Grafana finds the dashboards, and the folder that it shows them in."""
    provider = {
        "name": "witness",
        "type": "file",
        "folder": "witness",
        "folderUid": "witness",
        "allowUiUpdates": False,
        "disableDeletion": True,
        "updateIntervalSeconds": 30,
        "options": {"path": SERVED_FROM},
    }
    return {"apiVersion": 1, "providers": [provider]}


if __name__ == "__main__":
    for name, text in files().items():
        path = HERE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
