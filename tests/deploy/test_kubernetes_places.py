"""Whether the pods of deploy/kubernetes have room for what Ray will put into them."""

from pathlib import Path

import pytest

from pipeline.config.load import load_fleet
from pipeline.measure.access import PORT
from tests.deploy.test_kubernetes import HERE, LIVE, cluster, container, of_kind

pytestmark = [pytest.mark.ray]


@pytest.mark.parametrize(("folder", "of"), [("overlays/cpu", "base"), ("overlays/gpu", LIVE[1])])
def test_the_streams_are_valid_and_their_work_finds_a_place(folder: str, of: str) -> None:
    from pipeline.run.ray_crew import CPUS

    file = HERE / of / "streams.yaml"
    [sent] = [
        each["data"]["streams.yaml"]
        for each in of_kind(folder, "ConfigMap")
        if each["metadata"]["name"] == "witness-streams"
    ]
    assert sent == file.read_text()
    fleet = load_fleet(file)
    assert (fleet.metrics.host, fleet.metrics.port) == ("0.0.0.0", PORT)
    pool = fleet.pool
    assert pool.threads is not None, "a pod sees all cores of its machine"
    members = pool.members + pool.spare
    workers, driver = cluster(folder).workers("workers"), cluster(folder).workers("driver")
    cpus = workers.replicas * int(workers.ray_start_params["num-cpus"])
    readers = len(fleet.streams) * CPUS["reader"]
    assert members * CPUS["member"] + readers <= cpus
    # Whatever else is put beside it, the keeper is there first and leaves no room for a second one.
    assert CPUS["keeper"] < int(driver.ray_start_params["num-cpus"])
    limits = container(folder, "workers")["resources"]["limits"]
    gpus = workers.replicas * int(limits.get("nvidia.com/gpu", 0))
    assert (gpus > 0) == folder.endswith("gpu")
    if gpus:
        assert members * pool.gpus <= gpus
    for stream in fleet.streams.values():
        assert stream.credentials is not None
        folder_of_secrets = str(Path(str(stream.credentials.file)).parent)
        for group in ("driver", "workers"):
            mounted = {each["mountPath"] for each in container(folder, group)["volumeMounts"]}
            assert folder_of_secrets in mounted
