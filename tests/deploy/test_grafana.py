"""The dashboards that ship: as the code writes them, as Grafana's types and Prometheus take them.

No Grafana runs here: its Foundation SDK has its types, and Prometheus' own tool reads the queries.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.build import HERE, SCRAPES, SERVED_FROM, dashboards, files
from deploy.grafana.frame import MARK_KEYS, SOURCE_UID
from deploy.grafana.queries import ALERTS, RANGE, fill, grown, of
from pipeline.metrics import BY_NAME, TABLE
from tests.needs import need_program

FILES = files()
BUILT: dict[str, dict[str, Any]] = {
    name: json.loads(FILES[f"dashboards/{name}.json"]) for name in dashboards()
}
UIDS = {made["uid"]: name for name, made in BUILT.items()}
VALUES = {
    "stream": "yard",
    "lane": "sound|action",
    "instance": ".*",
    "__rate_interval": "20s",
    "__range": "1h",
}
KINDS = {"stat", "timeseries", "table", "state-timeline", "heatmap", "bargauge"}
METRIC = re.compile(r"\bwitness_\w+")
ENDINGS = re.compile(r"_(bucket|sum|count)$")


def panels(name: str) -> Iterator[dict[str, Any]]:
    """The panels of a dashboard without the headings of rows."""
    yield from (panel for panel in BUILT[name]["panels"] if panel["type"] != "row")


def queries(name: str) -> Iterator[tuple[str, str]]:
    """(where, query) of everything that a dashboard asks Prometheus for."""
    for panel in panels(name):
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])
    for mark in BUILT[name]["annotations"]["list"]:
        yield mark["name"], mark["expr"]


def metrics_of(query: str) -> set[str]:
    """The full names of the metrics that a query names, as the table has them."""
    known = {metric.full_name for metric in TABLE}
    return {name if name in known else ENDINGS.sub("", name) for name in METRIC.findall(query)}


def links(value: Any) -> Iterator[str]:
    """Every address of a link that is somewhere inside."""
    if isinstance(value, dict):
        yield from (value[key] for key in ("url",) if isinstance(value.get(key), str))
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from links(inner)


@pytest.mark.parametrize("path", sorted(FILES))
def test_file_is_up_to_date(path: str) -> None:
    written = (HERE / path).read_text(encoding="utf-8")
    assert written == FILES[path], f"deploy/grafana/{path} is behind the code: run `make docs`"


def test_nothing_is_left_of_files_that_are_written_no_more() -> None:
    there = [*HERE.glob("dashboards/*"), *HERE.glob("provisioning/*/*")]
    assert {path.relative_to(HERE).as_posix() for path in there} == set(FILES)


def test_identities_are_unique_and_stay() -> None:
    assert set(UIDS) == {"witness-fleet", "witness-stream", "witness-pools", "witness-jobs"}
    for name in BUILT:
        identities = [panel["id"] for panel in BUILT[name]["panels"]]
        assert len(set(identities)) == len(identities)


@pytest.mark.parametrize("name", sorted(BUILT))
def test_types_of_grafana_hold_all_that_is_written(name: str) -> None:
    register_default_plugins()
    again = json.loads(json.dumps(Dashboard.from_json(BUILT[name]), cls=JSONEncoder))
    expected = json.loads(json.dumps(BUILT[name]))
    for mark in expected["annotations"]["list"]:
        assert {mark.pop(key) is not None for key in MARK_KEYS} == {True}
    assert again == expected


@pytest.mark.parametrize("name", sorted(BUILT))
def test_panels_say_what_they_show(name: str) -> None:
    for panel in panels(name):
        assert panel["type"] in KINDS
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]


@pytest.mark.parametrize("name", sorted(BUILT))
def test_panels_lie_side_by_side(name: str) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in BUILT[name]["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                other = taken.setdefault((x, y), panel["title"])
                assert other == panel["title"], f"{panel['title']} lies over {other}"
    width, height = 24, max(y for _, y in taken) + 1
    assert len(taken) == width * height, "there are holes"


@pytest.mark.parametrize("name", sorted(BUILT))
def test_links_lead_to_dashboards_that_are_there(name: str) -> None:
    own = [url for url in links(BUILT[name]) if url.startswith("/d/")]
    for url in own:
        uid, _, asked = url.removeprefix("/d/").partition("?")
        target = BUILT[UIDS[uid]]
        known = {variable["name"] for variable in target["templating"]["list"]}
        assert set(re.findall(r"var-(\w+)=", asked)) <= known, url
        assert "${datasource:queryparam}" in asked
    tags = {tag for link in BUILT[name]["links"] for tag in link["tags"]}
    assert all(tags <= set(made["tags"]) for made in BUILT.values())


def test_a_row_of_the_fleet_leads_to_its_stream() -> None:
    assert any("var-stream=${__value.raw}" in url for url in links(BUILT["fleet"]))


@pytest.mark.parametrize("name", sorted(BUILT))
def test_queries_name_metrics_labels_and_variables_that_there_are(name: str) -> None:
    known = {metric.full_name: metric for metric in TABLE}
    variables = {variable["name"] for variable in BUILT[name]["templating"]["list"]}
    used = {found for _, query in queries(name) for found in re.findall(r"\$(\w+)", query)}
    assert used <= variables | {"__rate_interval", "__range"}
    for where, query in queries(name):
        names = metrics_of(query)
        assert names <= set(known), where
        assert names or ALERTS in query, where
        labels = {label for metric in names for label in known[metric].labels}
        grouped = re.findall(r"(?:by|on) \(([^)]*)\)", query)
        asked = {label.strip() for group in grouped for label in group.split(",")}
        assert asked <= labels | {"instance", "le"}, where


@pytest.mark.parametrize("name", sorted(BUILT))
def test_series_are_called_by_labels_that_they_have(name: str) -> None:
    for panel in panels(name):
        for target in panel["targets"]:
            called = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            metrics = {m for m in TABLE if m.full_name in metrics_of(target["expr"])}
            there = {label for metric in metrics for label in metric.labels} | {"instance", "le"}
            kept = re.findall(r"sum by \(([^)]*)\)", target["expr"])
            if kept and called - {"le"}:
                there = {label.strip() for group in kept for label in group.split(",")}
            assert called <= there, panel["title"]


def test_every_metric_of_the_table_is_in_some_panel() -> None:
    shown = {
        metric
        for name in BUILT
        for panel in panels(name)
        for target in panel["targets"]
        for metric in metrics_of(target["expr"])
    }
    assert {metric.full_name for metric in TABLE} == shown


def test_prometheus_parses_every_query(tmp_path: Path) -> None:
    promtool = need_program("promtool")
    rules = [
        {"record": f"{name}:query:{number}", "expr": fill(query, VALUES)}
        for name in BUILT
        for number, (_, query) in enumerate(queries(name))
    ]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"{len(rules)} rules found" in done.stdout


def test_a_renamed_metric_or_label_breaks_the_build() -> None:
    with pytest.raises(KeyError):
        of("stream_is_up")
    with pytest.raises(ValueError, match="no label"):
        of("stream_up", lane="sound")
    with pytest.raises(ValueError, match="it has no"):
        of("stream_up", "_bucket")


def test_a_series_that_begins_with_a_rare_thing_counts_it() -> None:
    name = BY_NAME["stream_outages"].full_name
    assert grown("stream_outages", RANGE) == (
        f"(({name} unless {name} offset $__range) or increase({name}[$__range]))"
    )


def test_data_source_and_folder_are_those_of_the_dashboards() -> None:
    [source] = yaml.safe_load(FILES["provisioning/datasources/witness.yaml"])["datasources"]
    scrapes = yaml.safe_load(SCRAPES.read_text(encoding="utf-8"))
    assert source["jsonData"]["timeInterval"] == scrapes["global"]["scrape_interval"]
    for made in BUILT.values():
        chosen = made["templating"]["list"][0]
        assert (chosen["type"], chosen["current"]["value"]) == ("datasource", SOURCE_UID)
    assert source["uid"] == SOURCE_UID
    [folder] = yaml.safe_load(FILES["provisioning/dashboards/witness.yaml"])["providers"]
    assert folder["options"]["path"] == SERVED_FROM
