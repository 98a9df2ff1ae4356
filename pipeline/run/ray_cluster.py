"""Where the Ray engine runs: the user's cluster, or one embedded in this job."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading

import ray

from pipeline.errors import LaneError
from pipeline.run.descent import mark_what_comes
from pipeline.run.job import Job

OBJECT_STORE_BYTES = 512 * 2**20
ANSWER_S = 5.0
"""How long a cluster may take to take a call; Ray itself would go on ringing for minutes."""


def start_ray(job: Job) -> None:
    """Joins the cluster at RAY_ADDRESS, or starts an embedded one for this job."""
    start_ray_for(job.config.pool.members + job.config.pool.readers + 1, "--engine local")


def start_ray_for(processes: int, otherwise: str) -> None:
    """Joins the cluster at RAY_ADDRESS, or starts an embedded one for so many processes.

    LaneError when neither can be; it names the option that does without, `otherwise`. Embedded: no
    dashboard, no usage reports, and token authentication, which Ray switches on by itself. Its
    sockets listen on every interface whatever it is told; see docs/architecture.md.
    """
    address = os.environ.get("RAY_ADDRESS")
    try:
        if address:
            _call(address)
            ray.init(log_to_driver=False, configure_logging=False)
        else:
            _embed(processes)
    except Exception as error:  # a plain one, when its processes are not up within 30 s
        how = f"joined at RAY_ADDRESS={address}" if address else "started here"
        message = f"Ray cannot be {how} ({brief(error)}); {otherwise} needs none"
        raise LaneError(message) from error
    if threading.current_thread() is threading.main_thread():
        # Ray takes SIGTERM for itself and dumps stacks; it shall mean what Ctrl-C means.
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def _call(address: str) -> None:
    """OSError when nobody takes a call at `host:port`; other forms of address are left to Ray."""
    told = re.fullmatch(r"(?:ray://)?\[?([^\]/]+?)\]?:(\d+)", address)
    if told is not None:
        socket.create_connection((told[1], int(told[2])), ANSWER_S).close()


def _embed(processes: int) -> None:
    mark_what_comes()
    # Ray is nice to everybody else by default: on a busy machine its workers would starve.
    os.environ.setdefault("RAY_worker_niceness", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(
        address="local",  # and not a cluster of somebody else that runs on this machine
        include_dashboard=False,
        num_cpus=max(os.cpu_count() or 1, processes),
        object_store_memory=OBJECT_STORE_BYTES,
        log_to_driver=False,
        logging_level="ERROR",
        _node_ip_address="127.0.0.1",
    )


def brief(error: BaseException) -> str:
    """The last line of a Ray error, which is long and full of paths."""
    if "worker process has died" in str(error):
        return "its process ended unexpectedly: killed, crashed or out of memory"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__
