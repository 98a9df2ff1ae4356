"""Joining a cluster: an address where nobody answers is told at once, in words."""

from __future__ import annotations

import socket

import pytest

from pipeline.errors import LaneError

pytestmark = [pytest.mark.ray]


@pytest.mark.parametrize("form", ["{}:{}", "ray://{}:{}"])
def test_an_address_where_nobody_answers_is_told(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.run.ray_cluster import start_ray_for

    with socket.socket() as taken:  # bound, so nobody else gets it, but it takes no calls
        taken.bind(("127.0.0.1", 0))
        address = form.format(*taken.getsockname())
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(LaneError, match=f"{address}.*refused.*--engine local needs none"):
            start_ray_for(2, "--engine local")
