"""docker/compose.yaml, read by Debian's docker-compose, and held against what it starts.

No engine runs here: no container of it was ever started by these tests.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
import yaml

from pipeline.cli import app
from pipeline.config.load import load_fleet
from pipeline.measure.access import PORT
from tests.deploy.images import DOCKER, ROOT, stages
from tests.needs import need_program
from tests.object_store import serving

pytestmark = pytest.mark.slow

FILE = DOCKER / "compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROFILES = ("", "demo", "cpu", "gpu", "s3")
OURS = {"witness", "witness-gpu", "bucket", "batch"}
WATCHERS = ("witness", "witness-gpu")
PROMETHEUS = ROOT / "deploy" / "prometheus"
GRAFANA = ROOT / "deploy" / "grafana"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def mounts(service: str) -> dict[str, str]:
    """What is mounted, by where: a path of the project, or the name of a volume."""
    found = {}
    for volume in SERVICES[service].get("volumes", ()):
        plain = volume.removesuffix(":ro")
        if plain.startswith("${"):
            plain = plain.partition(":-")[2].replace("}", "", 1)
        source, _, place = plain.partition(":")
        found[place] = source
    return found


def networks(service: str) -> set[str]:
    return set(SERVICES[service]["networks"])


def called(service: str) -> set[str]:
    """The names by which others find a service."""
    told = SERVICES[service]["networks"]
    names = {service}
    if isinstance(told, dict):
        names |= {name for each in told.values() if each for name in each.get("aliases", ())}
    return names


def serves(asked: str, asking: str) -> list[str]:
    """The services that a name leads to from another one's networks."""
    return [
        name for name in SERVICES if asked in called(name) and networks(name) & networks(asking)
    ]


@pytest.mark.parametrize("profile", PROFILES)
def test_docker_compose_accepts_every_profile(profile: str) -> None:
    environment = {**os.environ, "COMPOSE_PROFILES": profile}
    command = [need_program("docker-compose"), "-f", str(FILE), "config"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    told = yaml.safe_load(done.stdout)["services"]
    on = {name for name, s in SERVICES.items() if profile in s.get("profiles", [profile])}
    assert on <= set(told)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_starts_all_that_it_waits_for(profile: str) -> None:
    on = {name for name, s in SERVICES.items() if profile in s.get("profiles", [profile])}
    assert {"prometheus", "alertmanager", "grafana"} <= on
    for name in on:
        assert set(SERVICES[name].get("depends_on", ())) <= on, name
    assert len(on & set(WATCHERS)) == (profile in ("demo", "cpu", "gpu"))


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_has_no_rights_that_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"cap_add", "privileged", "network_mode", "pid", "ipc"} & set(service)
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service.get("user", "nobody") != "0"
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert "healthcheck" in service or name in OURS


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_images_are_ours_or_pinned(name: str) -> None:
    service = SERVICES[name]
    image, _, tag = service["image"].partition(":")
    if name in OURS:
        assert (image, tag) == ("witness", service["build"]["target"])
        assert tag in stages()
        assert (DOCKER / service["build"]["context"]).resolve() == ROOT
        assert ROOT / service["build"]["dockerfile"] == DOCKER / "Dockerfile"
    else:
        assert tag.removeprefix("v").split("-")[0].count(".") == 2, service["image"]


def test_grafana_is_the_one_that_the_dashboards_are_written_for() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [sdk] = [
        each
        for each in extras["optional-dependencies"]["dev"]
        if each.startswith("grafana-foundation-sdk==")
    ]
    assert SERVICES["grafana"]["image"] == f"grafana/grafana:{sdk.rpartition('!')[2]}"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_what_is_mounted_is_there(name: str) -> None:
    for place, source in mounts(name).items():
        if source.startswith("."):
            assert (DOCKER / source).exists(), source
        else:
            assert source in COMPOSE["volumes"], source
        assert place.startswith("/")


def test_the_user_and_the_places_are_those_of_the_image() -> None:
    image = stages()["cpu"]
    written = image.listed("VOLUME")
    for name in OURS:
        assert SERVICES[name]["user"] == image.said("USER")[0]
        assert set(SERVICES[name]["tmpfs"]) == {"/tmp:mode=1777"}
    for name in WATCHERS:
        assert set(written) <= set(mounts(name))
        assert SERVICES[name]["expose"] == image.said("EXPOSE") == [str(PORT)]


@pytest.mark.parametrize("name", [*WATCHERS, "batch"])
def test_the_command_line_takes_what_a_service_runs(name: str) -> None:
    said = [str(word) for word in SERVICES[name]["command"]]
    command = typer.main.get_command(app).commands[said[0]]  # type: ignore[attr-defined]
    asked = command.make_context(said[0], said[1:]).params
    assert asked["engine"].value == "local"
    if name in WATCHERS:
        [streams] = asked["sources"]
        assert mounts(name)[streams] == "./streams.yaml"
        assert str(asked["out"]).startswith("/data/")
    else:
        assert set(asked["videos"]) == {"/clips"}
        assert asked["out"].startswith(f"s3://{SERVICES['bucket']['command'][0]}/")


def test_the_streams_are_valid_and_lead_to_the_camera() -> None:
    program = Path(sys.executable).parent / "witness"
    told = [str(program), "validate", str(DOCKER / "streams.yaml")]
    done = subprocess.run(told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    fleet = load_fleet(DOCKER / "streams.yaml")
    assert (fleet.metrics.host, fleet.metrics.port) == ("0.0.0.0", PORT)
    media = read(DOCKER / "mediamtx.yml")
    for stream in fleet.streams.values():
        url = urlsplit(stream.url)
        assert serves(str(url.hostname), "witness") == ["camera"]
        assert media["rtspAddress"] == f":{url.port}" == f":{SERVICES['camera']['expose'][0]}"
        assert media["rtspTransports"] == [stream.transport] == ["tcp"]
        sends = media["paths"][url.path.removeprefix("/")]["runOnInit"]
        assert sends.endswith(f"rtsp://127.0.0.1:{url.port}{url.path}")
        clip = sends.split("-i ")[1].split()[0]
        assert (DOCKER / mounts("camera")[clip]).is_file()
        assert f"paths/get{url.path}" in SERVICES["camera"]["healthcheck"]["test"]
        assert media["apiAddress"] in SERVICES["camera"]["healthcheck"]["test"]


def test_prometheus_is_configured_as_deploy_says_but_for_places() -> None:
    shipped, here = read(PROMETHEUS / "prometheus.yml"), read(DOCKER / "prometheus.yml")
    [theirs], [ours] = shipped.pop("scrape_configs"), here.pop("scrape_configs")
    del theirs["file_sd_configs"]
    [[target]] = [each.pop("targets") for each in ours["static_configs"]]
    del theirs["static_configs"][0]["targets"]
    assert ours == theirs
    assert target == f"witness:{PORT}"
    for name in WATCHERS:
        assert name in serves("witness", "prometheus")
    [managers] = here["alerting"]["alertmanagers"]
    [[manager]] = [each.pop("targets") for each in managers["static_configs"]]
    del shipped["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert here == shipped
    assert manager == "alertmanager:9093"
    assert serves("alertmanager", "prometheus") == ["alertmanager"]


def test_prometheus_finds_its_rules(tmp_path: Path) -> None:
    command = " ".join(SERVICES["prometheus"]["command"])
    for place, source in mounts("prometheus").items():
        if source.startswith("."):
            shutil.copy(DOCKER / source, tmp_path / Path(place).name)
            assert Path(place).parent == Path("/etc/prometheus")
        else:
            assert f"--storage.tsdb.path={place}" in command
    assert "--config.file=/etc/prometheus/prometheus.yml" in command
    check = [need_program("promtool"), "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("rules found") == 2


def test_alertmanager_has_the_routes_that_ship() -> None:
    command = " ".join(SERVICES["alertmanager"]["command"])
    for place, source in mounts("alertmanager").items():
        assert place in command
        if source.startswith("."):
            assert (DOCKER / source).resolve() == PROMETHEUS / "alertmanager.yml"


def test_grafana_shows_the_dashboards_from_this_prometheus() -> None:
    shipped = read(GRAFANA / "provisioning" / "datasources" / "witness.yaml")
    here = read(DOCKER / "grafana-datasource.yaml")
    url = urlsplit(here["datasources"][0].pop("url"))
    del shipped["datasources"][0]["url"]
    assert here == shipped
    assert serves(str(url.hostname), "grafana") == ["prometheus"]
    assert f"127.0.0.1:{url.port}:{url.port}" in SERVICES["prometheus"]["ports"]
    [folder] = read(GRAFANA / "provisioning" / "dashboards" / "witness.yaml")["providers"]
    served = mounts("grafana")
    boards = (DOCKER / served[folder["options"]["path"]]).resolve()
    assert boards == GRAFANA / "dashboards"
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == folder["options"]["path"]
    assert json.loads((boards / home.name).read_text())["uid"] == "witness-fleet"
    assert SERVICES["grafana"]["environment"]["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"


def test_health_checks_ask_ports_that_are_served() -> None:
    for name in ("prometheus", "alertmanager", "grafana", "s3"):
        [published] = SERVICES[name]["ports"]
        inside = published.rpartition(":")[2]
        assert f"127.0.0.1:{inside}/" in " ".join(SERVICES[name]["healthcheck"]["test"])


@pytest.mark.slow
def test_the_job_finds_its_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = SERVICES["batch"]["environment"]
    assert environment == SERVICES["bucket"]["environment"]
    url = urlsplit(environment["AWS_ENDPOINT_URL"])
    assert serves(str(url.hostname), "batch") == ["s3"]
    assert SERVICES["s3"]["ports"] == [f"127.0.0.1:{url.port}:{url.port}"]
    start = [*SERVICES["bucket"]["entrypoint"], *SERVICES["bucket"]["command"]]
    assert start[:3] == ["tini", "--", "python"]
    script = DOCKER / mounts("bucket")[start[3]]
    for name in environment:
        monkeypatch.delenv(name, raising=False)
    with serving() as endpoint:
        told = {**os.environ, **environment, "AWS_ENDPOINT_URL": endpoint}
        command = [sys.executable, str(script), *start[4:]]
        for _ in range(2):  # a second time it is there already
            subprocess.run(command, env=told, check=True, timeout=60)
        from s3fs import S3FileSystem

        assert start[4] in S3FileSystem(use_listings_cache=False).ls("")


def test_the_page_tells_every_profile_port_and_setting() -> None:
    told = (ROOT / "docs" / "deploy.md").read_text()
    for profile in filter(None, PROFILES):
        assert f"--profile {profile}" in told, profile
    for service in SERVICES.values():
        for port in service.get("ports", ()):
            assert port.rpartition(":")[0] in told, port
    for setting in ("WITNESS_STREAMS", "WITNESS_SECRETS", "TORCH_INDEX"):
        assert setting in FILE.read_text()
        assert setting in told
