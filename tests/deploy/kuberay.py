"""What KubeRay takes, as far as deploy/kubernetes uses it: nothing else may be said there.

Written down from the v1 schemas of RayCluster and RayJob in KubeRay 1.5.1 to 1.7.0. Templates of
pods are Kubernetes' own, and are checked as pods.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

FIRST_WITH_TOKENS = (2, 52)


class Said(BaseModel):
    """No key but those that are named, and no number where a text belongs."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Metadata(Said):
    name: str = Field(max_length=50)
    namespace: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class AuthOptions(Said):
    mode: Literal["disabled", "token"]


class SecretKey(Said):
    name: str
    key: str


class ValueFrom(Said):
    secret_key_ref: SecretKey


class Credential(Said):
    """By reference alone, though KubeRay would take a `value` as well."""

    value_from: ValueFrom


class FaultTolerance(Said):
    redis_address: str
    redis_password: Credential


class HeadGroup(Said):
    ray_start_params: dict[str, str]
    template: dict[str, Any]


class WorkerGroup(Said):
    group_name: str
    replicas: int = Field(ge=0)
    min_replicas: int = Field(ge=0)
    max_replicas: int = Field(ge=1)
    ray_start_params: dict[str, str]
    template: dict[str, Any]

    @model_validator(mode="after")
    def _between(self) -> Self:
        assert self.min_replicas <= self.replicas <= self.max_replicas
        return self


class ClusterSpec(Said):
    ray_version: str
    auth_options: AuthOptions
    enable_in_tree_autoscaling: bool
    gcs_fault_tolerance_options: FaultTolerance | None = None
    head_group_spec: HeadGroup
    worker_group_specs: list[WorkerGroup]

    @model_validator(mode="after")
    def _has_tokens(self) -> Self:
        major, minor, _ = self.ray_version.split(".")
        assert (int(major), int(minor)) >= FIRST_WITH_TOKENS
        return self

    @property
    def groups(self) -> dict[str, HeadGroup | WorkerGroup]:
        """Head and workers by name."""
        return {
            "head": self.head_group_spec,
            **{one.group_name: one for one in self.worker_group_specs},
        }

    def workers(self, name: str) -> WorkerGroup:
        """The group of workers of a name."""
        [found] = [group for group in self.worker_group_specs if group.group_name == name]
        return found


class RayCluster(Said):
    api_version: Literal["ray.io/v1"]
    kind: Literal["RayCluster"]
    metadata: Metadata
    spec: ClusterSpec


class JobSpec(Said):
    entrypoint: str
    submission_mode: Literal["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]
    shutdown_after_job_finishes: bool
    ttl_seconds_after_finished: int = Field(ge=0)
    backoff_limit: int = Field(ge=0)
    ray_cluster_spec: ClusterSpec


class RayJob(Said):
    api_version: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: Metadata
    spec: JobSpec
