"""Which store an address means."""

from __future__ import annotations

from pipeline.batch.bucket_store import BucketStore
from pipeline.batch.folder_store import FolderStore
from pipeline.batch.store import Store
from pipeline.media.bucket import is_bucket


def open_store(address: str) -> Store:
    """The store at a folder or at a bucket's address; nothing is made or looked at yet.

    ConfigError when the library that opens such buckets is missing.
    """
    return BucketStore(address) if is_bucket(address) else FolderStore(address)
