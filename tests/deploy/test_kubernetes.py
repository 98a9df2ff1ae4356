"""deploy/kubernetes as `kubectl kustomize` builds it, held against the schemas and the code.

No cluster is there: nothing of it was ever applied by these tests.
"""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer
import yaml

from deploy.kubernetes.build import FILE, RULES, text
from pipeline.cli import app
from pipeline.measure.access import PORT
from pipeline.metrics import TABLE
from pipeline.run.job import choose_device
from tests.deploy.images import ROOT, stages
from tests.deploy.kuberay import ClusterSpec, RayCluster, RayJob
from tests.needs import need_kubectl, need_program

HERE = ROOT / "deploy" / "kubernetes"
LIVE = ("overlays/cpu", "overlays/gpu")
ALL = (*LIVE, "batch")
CORE = {"v1", "apps/v1", "policy/v1", "networking.k8s.io/v1"}
OF_THE_OPERATOR = {"namespace", "pod", "container", "endpoint", "job", "instance", "page"}
IMAGE = stages()["cpu"]
HEALTH_OF_RAY = {"path": "/api/healthz", "port": 52365}


@cache
def built(folder: str) -> list[dict[str, Any]]:
    """What `kubectl apply -k` would send."""
    command = [need_kubectl(), "kustomize", str(HERE / folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def of_kind(folder: str, kind: str) -> list[dict[str, Any]]:
    return [one for one in built(folder) if one["kind"] == kind]


def cluster(folder: str) -> ClusterSpec:
    if folder == "batch":
        [job] = of_kind(folder, "RayJob")
        return RayJob.model_validate(job).spec.ray_cluster_spec
    [one] = of_kind(folder, "RayCluster")
    return RayCluster.model_validate(one).spec


def labels_of(folder: str, group: str) -> dict[str, str]:
    """Those of a pod: its template's, and KubeRay's."""
    kind = "head" if group == "head" else "worker"
    told = {
        "ray.io/cluster": "witness" if folder != "batch" else "made-up-by-kuberay",
        "ray.io/node-type": kind,
        "ray.io/group": "headgroup" if group == "head" else group,
    }
    return told | cluster(folder).groups[group].template["metadata"]["labels"]


def chosen(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """True for a pod that a selector selects."""
    wanted = selector.get("matchLabels", {})
    among = selector.get("matchExpressions", ())
    assert all(each["operator"] == "In" for each in among)
    return wanted.items() <= labels.items() and all(
        labels.get(each["key"]) in each["values"] for each in among
    )


def container(folder: str, group: str) -> dict[str, Any]:
    [found] = cluster(folder).groups[group].template["spec"]["containers"]
    return dict(found)


def policies(folder: str, labels: dict[str, str], way: str) -> list[dict[str, Any]]:
    """The rules of a way, `ingress` or `egress`, that hold for a pod."""
    shared = of_kind("overlays/cpu", "NetworkPolicy")
    there = [*shared, *(of_kind(folder, "NetworkPolicy") if folder not in LIVE else ())]
    held = [one["spec"] for one in there if chosen(one["spec"]["podSelector"], labels)]
    assert any({"Ingress", "Egress"} <= set(one["policyTypes"]) for one in held)
    return [rule for one in held for rule in one.get(way, ())]


@pytest.mark.parametrize("folder", ALL)
def test_core_kinds_are_valid_and_strictly_so(folder: str) -> None:
    latest = kubernetes_validate.latest_version()
    for one in built(folder):
        if one["apiVersion"] in CORE:
            kubernetes_validate.validate(one, latest, strict=True)
        assert one["metadata"].get("namespace", "witness") == "witness"


@pytest.mark.parametrize("folder", ALL)
def test_pods_are_valid_and_have_no_rights(folder: str) -> None:
    latest = kubernetes_validate.latest_version()
    for name, group in cluster(folder).groups.items():
        metadata = {"name": name, **group.template.get("metadata", {})}
        spec = group.template["spec"]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        kubernetes_validate.validate(pod, latest, strict=True)
        assert spec["automountServiceAccountToken"] is False
        user = int(IMAGE.said("USER")[0].partition(":")[0])
        assert spec["securityContext"]["runAsUser"] == user
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        one = container(folder, name)
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert one["resources"]["requests"].keys() >= {"cpu", "memory"}
        assert one["resources"]["limits"]["memory"]
        written = {mount["mountPath"] for mount in one["volumeMounts"] if not mount.get("readOnly")}
        assert {"/tmp", "/cache"} <= written <= {"/tmp", *IMAGE.listed("VOLUME")}
        volumes = {volume["name"] for volume in spec["volumes"]}
        assert {mount["name"] for mount in one["volumeMounts"]} == volumes


@pytest.mark.parametrize("folder", ALL)
def test_ray_is_the_version_that_is_tested_and_asks_for_a_token(folder: str) -> None:
    spec = cluster(folder)
    [wanted] = re.findall(r'"ray\[data\]>=([\d.]+),', (ROOT / "pyproject.toml").read_text())
    assert spec.ray_version.startswith(f"{wanted}.")
    assert spec.auth_options.mode == "token"
    assert spec.head_group_spec.ray_start_params["num-cpus"] == "0"


@pytest.mark.parametrize("folder", LIVE)
def test_the_state_of_rays_head_outlives_it(folder: str) -> None:
    kept = cluster(folder).gcs_fault_tolerance_options
    assert kept is not None
    host, _, port = kept.redis_address.partition(":")
    space = host.split(".")[1]
    head = labels_of(folder, "head")
    rules = policies(folder, head, "egress")
    to = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}}}
    assert {"to": [to], "ports": [{"protocol": "TCP", "port": int(port)}]} in rules
    assert rules == policies(folder, {**head, "ray.io/node-type": "redis-cleanup"}, "egress")


@pytest.mark.parametrize("folder", ALL)
def test_images_are_targets_of_the_dockerfile(folder: str) -> None:
    wanted = "gpu" if folder.endswith("gpu") else "cpu"
    assert wanted in stages()
    for group in cluster(folder).groups:
        assert container(folder, group)["image"] == f"witness:{wanted}"


@pytest.mark.parametrize("folder", ALL)
def test_nothing_secret_is_written_here(folder: str) -> None:
    assert not of_kind(folder, "Secret")
    for group in cluster(folder).groups:
        for variable in container(folder, group).get("env", ()):
            assert variable["name"] == "WITNESS_DEVICE"


@pytest.mark.parametrize("folder", LIVE)
def test_probes_ask_what_answers(folder: str) -> None:
    for group in ("head", "workers"):
        one = container(folder, group)
        for probe in ("readinessProbe", "livenessProbe"):
            assert one[probe]["httpGet"] == HEALTH_OF_RAY
    driver = container(folder, "driver")
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert driver[probe]["httpGet"] == {"path": "/-/healthy", "port": "witness-metrics"}
    for group in ("head", "driver", "workers"):
        ports = container(folder, group)["ports"]
        assert ports == [{"name": "witness-metrics", "containerPort": PORT}]


def test_the_driver_joins_rays_cluster_and_becomes_the_command(tmp_path: Path) -> None:
    for name in ("ray", "witness"):
        program = tmp_path / name
        program.write_text('#!/bin/sh\nprintf "%s|" "$(basename "$0")" "$@"; echo\n')
        program.chmod(0o755)
    one = container("overlays/gpu", "driver")
    command = [*one["command"], *one["args"]]
    assert command[:2] == ["tini", "--"]
    told = {
        **os.environ,
        **{each["name"]: each["value"] for each in one["env"]},
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        # As KubeRay writes it, two blanks between words.
        "KUBERAY_GEN_RAY_START_CMD": "ray start  --address=head:6379  --block  --num-cpus=2 ",
        "TINI_SUBREAPER": "1",
    }
    need_program("tini")
    done = subprocess.run(command, env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    joined, ran = done.stdout.splitlines()
    assert joined == "ray|start|--address=head:6379|--num-cpus=2|"
    words = ran.rstrip("|").split("|")
    parsed = typer.main.get_command(app).commands["run"]  # type: ignore[attr-defined]
    asked = parsed.make_context("run", words[2:]).params
    assert (asked["engine"].value, asked["device"].value) == ("ray", "cuda")
    places = {mount["mountPath"]: mount["name"] for mount in one["volumeMounts"]}
    assert places[str(asked["out"].parent)] == "results"
    assert asked["sources"] == ["/etc/witness/streams.yaml"]
    assert places["/etc/witness"] == "streams"
    template = cluster("overlays/gpu").workers("driver").template
    assert template["metadata"]["annotations"] == {"ray.io/overwrite-container-cmd": "true"}
    [volume] = [each for each in template["spec"]["volumes"] if each["name"] == "streams"]
    [streams] = [
        each
        for each in of_kind("overlays/gpu", "ConfigMap")
        if each["metadata"]["name"] == volume["configMap"]["name"]
    ]
    assert list(streams["data"]) == ["streams.yaml"]


def test_a_gpu_of_a_cluster_is_taken_on_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    assert choose_device("cuda") == "cuda"


def test_the_job_is_a_command_that_there_is() -> None:
    [job] = of_kind("batch", "RayJob")
    words = RayJob.model_validate(job).spec.entrypoint.split()
    assert words[:2] == ["witness", "batch"]
    command = typer.main.get_command(app).commands["batch"]  # type: ignore[attr-defined]
    asked = command.make_context("batch", words[2:]).params
    group = cluster("batch").workers("workers")
    there = group.replicas * int(group.ray_start_params["num-cpus"])
    assert asked["workers"] * asked["cpus"] + 0.25 <= there
    assert asked["engine"].value == "ray"


@pytest.mark.parametrize("folder", LIVE)
def test_the_budget_is_one_that_kubernetes_can_keep(folder: str) -> None:
    [budget] = of_kind(folder, "PodDisruptionBudget")
    spec = budget["spec"]
    assert isinstance(spec["minAvailable"], int)
    assert "maxUnavailable" not in spec
    assert spec["minAvailable"] < cluster(folder).workers("workers").replicas
    assert chosen(spec["selector"], labels_of(folder, "workers"))
    assert not chosen(spec["selector"], labels_of(folder, "driver"))


@pytest.mark.parametrize("group", ["head", "driver", "workers"])
def test_who_reads_streams_reaches_cameras_and_nobody_else_anything(group: str) -> None:
    labels = labels_of("overlays/cpu", group)
    outside = [
        (place["ipBlock"]["cidr"], [port["port"] for port in rule["ports"]])
        for rule in policies("overlays/cpu", labels, "egress")
        for place in rule["to"]
        if "ipBlock" in place
    ]
    cameras = [("192.168.1.0/24", [554])]
    assert outside == (cameras if group in ("driver", "workers") else [])
    inside = [
        place
        for rule in policies("overlays/cpu", labels, "ingress")
        for place in rule["from"]
        if "podSelector" in place and "namespaceSelector" not in place
    ]
    assert inside == [{"podSelector": {"matchLabels": {"ray.io/cluster": "witness"}}}]


@pytest.mark.parametrize("folder", [*LIVE, "batch"])
def test_every_rule_of_the_network_names_its_other_end_and_every_pod_asks_for_names(
    folder: str,
) -> None:
    for group in cluster(folder).groups:
        labels = labels_of(folder, group)
        egress = policies(folder, labels, "egress")
        assert all(rule["to"] for rule in egress)
        assert all(rule["from"] for rule in policies(folder, labels, "ingress"))
        ports = [port for rule in egress for port in rule.get("ports", ()) if port["port"] == 53]
        assert {port["protocol"] for port in ports} == {"UDP", "TCP"}


def test_the_metrics_are_for_the_namespace_of_the_monitoring_alone() -> None:
    [rule] = [
        rule
        for rule in policies("overlays/cpu", labels_of("overlays/cpu", "driver"), "ingress")
        if "ports" in rule
    ]
    assert rule["ports"] == [{"protocol": "TCP", "port": "witness-metrics"}]
    [who] = rule["from"]
    assert who == {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}
    }


@pytest.mark.slow
def test_types_of_the_operator_hold_all_that_is_sent() -> None:
    from cloudcoil.models.prometheus_operator.v1 import PodMonitor, PrometheusRule

    for kind in (PodMonitor, PrometheusRule):
        [sent] = of_kind("overlays/cpu", kind.__name__)
        kept = kind.model_validate(sent)
        assert kept.model_dump(by_alias=True, exclude_unset=True, mode="json") == sent


def test_the_operator_scrapes_as_prometheus_is_told_to() -> None:
    [monitor] = of_kind("overlays/cpu", "PodMonitor")
    shipped = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["interval"] == shipped["global"]["scrape_interval"]
    assert endpoint["scrapeTimeout"] == shipped["global"]["scrape_timeout"]
    told = {each["targetLabel"]: each["replacement"] for each in endpoint["relabelings"][:2]}
    [job] = shipped["scrape_configs"]
    assert told == {"job": job["job_name"], "page": "node"}
    last = endpoint["relabelings"][-1]
    assert labels_of("overlays/cpu", "driver")["ray.io/group"] == last["regex"]
    for group in ("head", "driver", "workers"):
        assert chosen(monitor["spec"]["selector"], labels_of("overlays/cpu", group))
        [port] = container("overlays/cpu", group)["ports"]
        assert port["name"] == endpoint["port"]


def test_no_metric_has_a_label_that_the_operator_gives() -> None:
    assert not OF_THE_OPERATOR & {label for metric in TABLE for label in metric.labels}


def test_rules_are_those_of_prometheus() -> None:
    assert FILE.read_text() == text(), "behind deploy/prometheus: run `make docs`"
    [sent] = of_kind("overlays/cpu", "PrometheusRule")
    shipped = [
        group
        for name in RULES
        for group in yaml.safe_load((ROOT / "deploy" / "prometheus" / name).read_text())["groups"]
    ]
    assert sent["spec"]["groups"] == shipped


def test_every_dashboard_is_sent_and_small_enough_to_be_noted() -> None:
    boards = {path.name: path.read_text() for path in (ROOT / "deploy/grafana").glob("*/*.json")}
    sent: dict[str, str] = {}
    for one in of_kind("overlays/cpu", "ConfigMap"):
        if one["metadata"].get("labels") == {"grafana_dashboard": "1"}:
            sent |= one["data"]
            assert sum(map(len, one["data"].values())) < 200_000
    assert sent == boards
