"""What is still to be done: found once, kept on disk, read as it is needed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Self

from pipeline.batch.done import Done
from pipeline.batch.inputs import Input
from pipeline.batch.job import BatchJob
from pipeline.batch.result import FAILURES, UNITS, forget
from pipeline.batch.tally import Tally
from pipeline.batch.unit import Unit, key_of


class Todo:
    """The videos of a job that have no result yet; memory does not grow with their number.

    A video with a result is not opened. One that was changed since is to be done again, and then
    its old result goes. Use it as a context manager.
    """

    def __init__(self, job: BatchJob) -> None:
        self._job = job
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        file = tempfile.TemporaryFile("w+", encoding="utf-8", prefix="witness-todo-")
        self._file = self._exit.enter_context(file)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._exit.close()

    def find(
        self, videos: Iterable[Input], tally: Tally, seen: Callable[[Tally], None] | None = None
    ) -> None:
        """Takes down which of the videos have no result, and counts all of them."""
        store = self._job.store
        done = Done(store.names(UNITS), self._job.config_hash)
        troubled = Done(store.names(FAILURES), self._job.config_hash)
        for video in videos:
            tally.found += 1
            key, keys = key_of(video, self._job.config_hash), done.keys_of(video)
            if key in keys:
                tally.before += 1
                tally.troubled += key in troubled.keys_of(video)
                for outdated in keys:
                    if outdated != key:  # a run was killed just before it removed this
                        forget(store, outdated)
            else:
                tally.todo_bytes += video.size_bytes
                unit = Unit(video, replaces=tuple(keys))
                self._file.write(unit.to_json() + "\n")
            if seen is not None:
                seen(tally)

    def units(self) -> Iterator[Unit]:
        """Each video to be done, whole, in the order in which they were found."""
        self._file.seek(0)
        for line in self._file:
            yield Unit.from_json(line)
