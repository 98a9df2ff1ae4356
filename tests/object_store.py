"""An object store that speaks S3, for tests: moto's server, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def serving(*buckets: str) -> Iterator[str]:
    """The endpoint of a store with these buckets; the environment names it, and a key."""
    from moto.server import ThreadedMotoServer
    from s3fs import S3FileSystem

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "tester")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        S3FileSystem.clear_instance_cache()
        for bucket in buckets:
            S3FileSystem(use_listings_cache=False).mkdir(bucket)
        try:
            yield f"http://{host}:{port}"
        finally:
            S3FileSystem.clear_instance_cache()
            server.stop()
