"""What a killed run left lying about in the store, and that nobody needs any more."""

from __future__ import annotations

from pipeline.batch.attempts import ATTEMPTS
from pipeline.batch.result import commit_name
from pipeline.batch.stitch import PARTS
from pipeline.batch.store import Store
from pipeline.batch.unit import is_of


def tidy(store: Store, config_hash: str) -> None:
    """Removes what a run of this config that starts does not go on with.

    Half-written files, counts of attempts, the parts of videos that are finished, as a run may
    have been killed just before it did so itself, and those that were run by another config.
    """
    store.sweep()
    store.remove_folder(ATTEMPTS)
    for key in sorted({name.split("/")[1] for name in store.names(PARTS)}):
        if not is_of(key, config_hash) or store.exists(commit_name(key)):
            store.remove_folder(f"{PARTS}/{key}")
